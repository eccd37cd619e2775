/** One word for a POSIX shell: as it is where the shell reads it so, else in single quotes. */
export const shellWord = (text: string): string =>
  /^[\w:/.,@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
