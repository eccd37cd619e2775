// Imported before Ink. React's development build is several times slower, and not what runs; without colours a frame is
// text, and any escape in it is a fault.
process.env['NODE_ENV'] ??= 'production';
process.env['FORCE_COLOR'] = '0';
