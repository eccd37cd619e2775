/** Splits a command into words like a shell: supports only quotes and backslashes. */

/**
 * `node "my app.js" --name='a b'` -> `['node', 'my app.js', '--name=a b']`. Within single quotes everything is literal;
 * within double quotes a backslash escapes `"`, `\`, `$` and backquote (POSIX 2.2). Characters of expansions, pipes and
 * globs are literal.
 * @throws Error if a quote is not closed or there is no word.
 */
export function splitWords(command: string): string[] {
  const words: string[] = [];
  let word = '';
  let started = false;
  let quote = '';
  for (let index = 0; index < command.length; index++) {
    const char = command.charAt(index);
    if (quote === "'") {
      if (char === "'") quote = '';
      else word += char;
    } else if (char === '\\') {
      const next = command.charAt(index + 1);
      if (next === '') throw new Error('The command ends with a backslash.');
      const kept = quote === '"' && !'"\\$`'.includes(next);
      word += kept ? char + next : next;
      started = true;
      index++;
    } else if (quote === '"') {
      if (char === '"') quote = '';
      else word += char;
    } else if (char === "'" || char === '"') {
      quote = char;
      started = true;
    } else if (/\s/.test(char)) {
      if (started) words.push(word);
      word = '';
      started = false;
    } else {
      word += char;
      started = true;
    }
  }
  if (quote !== '') throw new Error(`The command has an unclosed ${quote === '"' ? 'double' : 'single'} quote.`);
  if (started) words.push(word);
  if (words.length === 0 || words[0] === '') throw new Error('The command is empty.');
  return words;
}
