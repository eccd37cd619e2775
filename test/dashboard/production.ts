// Imported before Ink: React's development build is several times slower, and not what runs.
process.env['NODE_ENV'] ??= 'production';
