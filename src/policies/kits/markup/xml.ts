/** Reads XML with the tokenizer of HTML, which finds the same tags, attributes and comments in it. */
import type { Token } from 'parse5';
import { parse5 } from './html.js';
import { Places, type Reading, rawMarks, UnreadableMarkup } from './place.js';

const INSTRUCTION = /<\?[\s\S]*?\?>/g;
/** The declarations of a document type, such as entities. */
const DECLARATION = /<!(?:ENTITY|ATTLIST|ELEMENT|NOTATION)/;
/** A tag whose name the tokenizer does not read as one. */
const OTHER_TAG = /<[^A-Za-z/!?]|<\/[^A-Za-z]/;

/** Throws UnreadableMarkup. */
export function readXml(sample: string): Reading {
  const places = new Places();
  const { Tokenizer } = parse5();
  const text = sample.replace(INSTRUCTION, (found) => {
    for (const index of rawMarks(found)) places.add(index, { kind: 'instruction' });
    return '';
  });
  if (DECLARATION.test(text)) throw new UnreadableMarkup('its document type contains declarations');
  if (OTHER_TAG.test(text)) throw new UnreadableMarkup('it contains `<` outside of a tag');
  const reader = new XmlReader(text, places);
  const tokenizer = new Tokenizer({ sourceCodeLocationInfo: true }, reader);
  // CDATA sections are read as such, and no element changes how its content is read.
  tokenizer.inForeignNode = true;
  tokenizer.write(text, true);
  return { places: places.places, tree: reader.tree };
}

const local = (name: string): string => name.slice(name.lastIndexOf(':') + 1);

class XmlReader {
  tree = '';
  readonly #text: string;
  readonly #places: Places;
  readonly #open: string[] = [];

  constructor(text: string, places: Places) {
    this.#text = text;
    this.#places = places;
  }

  onStartTag({ attrs, location, selfClosing, tagName }: Token.TagToken): void {
    const element = local(tagName);
    const pragma = attrs.some(({ name }) => local(name) === 'http-equiv');
    this.#places.raw(tagName, { kind: 'tag name' });
    for (const { name, value } of attrs) {
      const at = location?.attrs?.[name];
      // A prefix binds a namespace, which decides what the names mean.
      const known = name.startsWith('xmlns') ? 'xmlns' : local(name);
      const written = at && this.#text.slice(at.startOffset, at.endOffset);
      this.#places.raw(name, { kind: 'attribute name' });
      this.#places.attribute({ element, name: known, pragma }, value, written);
    }
    this.tree += `<${tagName} ${attrs.map(({ name }) => name).join(' ')}${selfClosing ? '/' : ''}`;
    if (!selfClosing) this.#open.push(element);
  }

  onEndTag({ attrs, tagName }: Token.TagToken): void {
    this.#places.raw(`${tagName} ${attrs.map(({ name }) => name).join(' ')}`, { kind: 'tag name' });
    this.tree += '>';
    this.#open.pop();
  }

  onComment({ data }: Token.CommentToken): void {
    this.#places.raw(data, { kind: 'comment' });
    this.tree += '!';
  }

  onDoctype({ name, publicId, systemId }: Token.DoctypeToken): void {
    this.#places.raw(`${name} ${publicId} ${systemId}`, { kind: 'doctype' });
    this.tree += '?';
  }

  onCharacter({ chars }: Token.CharacterToken): void {
    this.#places.text(chars, this.#open.at(-1) ?? '', true);
  }

  onWhitespaceCharacter(): void {}
  onNullCharacter(): void {}
  onEof(): void {}
}
