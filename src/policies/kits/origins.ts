/** Origins of pages in a config. */

/**
 * What is wrong with an origin that looks like one: browsers never send it in this form, so it would match nothing. `*.` may stand for
 * the leftmost labels. Other schemes than http and https have no form of their own.
 */
export function originProblem(text: string): { readonly message: string; readonly help: string } | undefined {
  if (!/^https?:/.test(text)) return undefined;
  const plain = text.replace('*.', 'star.');
  if (!URL.canParse(plain))
    return {
      message: `\`${text}\` is not an origin: its host or port is not valid.`,
      help: 'A port is a number from 1 to 65535.',
    };
  const { origin } = new URL(plain);
  if (origin === plain) return undefined;
  const sent = text.includes('*.') ? origin.replace('star.', '*.') : origin;
  return {
    message: `Browsers send this origin as \`${sent}\`, so \`${text}\` matches nothing.`,
    help: `Write \`${sent}\`.`,
  };
}
