/**
 * The parser copies the left side of `a ?? b` and `a ?: b`, so that nested ones grow with a power of two. This estimates the
 * size of the tree before it is built.
 */

const TOKEN =
  /"(?:[^"\\]|\\[\s\S])*"|'(?:[^'\\]|\\[\s\S])*'|`[^`]*`|\/\*[\s\S]*?\*\/|\?[?:]|[([{]|[)\]}]|[,;]|[^\s"'`/?()[\]{},;]+|\S/g;

interface Group {
  /** What will not be copied again within the group. */
  done: number;
  /** What a following operator copies. */
  left: number;
}

/** Characters of the source, with each copy counted. */
export function sizeWithCopies(source: string): number {
  const open: Group[] = [];
  let group: Group = { done: 0, left: 0 };
  for (const [token] of source.matchAll(TOKEN)) {
    if (token === '??' || token === '?:') {
      group.done += 2 * group.left;
      group.left = 0;
    } else if (token === ',' || token === ';') {
      group.done += group.left;
      group.left = 0;
    } else if (token === '(' || token === '[' || token === '{') {
      open.push(group);
      group = { done: 0, left: 0 };
    } else if (token === ')' || token === ']' || token === '}') {
      const outer = open.pop() ?? { done: 0, left: 0 };
      outer.left += group.done + group.left;
      group = outer;
    } else group.left += token.length;
  }
  return open.reduce((sum, { done, left }) => sum + done + left, group.done + group.left);
}
