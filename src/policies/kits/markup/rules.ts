/** Which places of a template the escaping of HTML protects, and what is wrong with the others. */
import type { AttributePlace, Place } from './place.js';

/** Why a variable must not stand at its place. */
export interface PlaceFault {
  /** Continues `The variable is`: `inside of <script>`. */
  readonly where: string;
  /** A sentence without its full stop. */
  readonly why: string;
  readonly help: string;
}

const IN_DATA =
  'Write the variable into an attribute, such as `<body data-value="...">`, and read it in the script: `document.body.dataset.value`.';
const IN_TEXT = 'Write the variable into the text of an element, or into an attribute value in quotes.';

/** Undefined: the value cannot leave the place, and has no effect beyond it. */
export function faultOf(place: Place): PlaceFault | undefined {
  if (place.kind === 'text') return textFault(place.element);
  return place.kind === 'attribute' ? attributeFault(place) : FAULTS[place.kind];
}

const FAULTS: { readonly [kind in Exclude<Place['kind'], 'text' | 'attribute'>]: PlaceFault } = {
  comment: {
    where: 'in a comment',
    why: 'hyphens in the value can end a comment, and escapes do not change hyphens',
    help: `Remove it from the comment. ${IN_TEXT}`,
  },
  doctype: { where: 'in the document type', why: 'the value changes how browsers read the whole page', help: IN_TEXT },
  cdata: { where: 'in a CDATA section', why: 'escapes are not decoded there', help: IN_TEXT },
  instruction: { where: 'in a processing instruction', why: 'escapes are not decoded there', help: IN_TEXT },
  'tag name': { where: 'the name of a tag', why: 'the value chooses the element', help: IN_TEXT },
  'attribute name': {
    where: 'the name of an attribute',
    why: 'the value can be an event handler such as `onclick`, and a space in it begins another attribute',
    help: 'Write the name, and the variable as its value in quotes.',
  },
  dropped: {
    where: 'in a part of the page that browsers drop',
    why: 'it is in an end tag, in a second attribute of the same name, or in a tag that is not complete or not allowed here, so it cannot be checked',
    help: IN_TEXT,
  },
};

function textFault(element: string): PlaceFault | undefined {
  if (element === 'script')
    return {
      where: 'inside of `<script>`',
      why: 'escapes for HTML do not keep a value from becoming code',
      help: IN_DATA,
    };
  if (element === 'style')
    return {
      where: 'inside of `<style>`',
      why: 'escapes for HTML do not keep a value from adding rules, which can load other resources',
      help: 'Write the variable into an attribute, such as `<body data-value="...">`, and select by it: `[data-value="a"]`.',
    };
  // Other text without escapes, such as that of <iframe>, has no effect.
  return undefined;
}

// ---- Attributes ----

const URLS = new Set(
  'action archive background base cite classid codebase data dynsrc formaction href icon longdesc lowsrc manifest poster profile src usemap'.split(
    ' ',
  ),
);
/** Lists, in which a space or comma of the value begins another URL. */
const URL_LISTS = new Set(['archive', 'imagesrcset', 'ping', 'srcset']);
/** Elements that run, or include into the page, what a URL leads to. */
const INCLUDING = new Set(['applet', 'base', 'embed', 'frame', 'iframe', 'link', 'object', 'script', 'use']);
/** Attributes that decide what others mean, on any element or on the listed ones. */
const DECIDING: { readonly [name: string]: readonly string[] } = {
  allow: [],
  attributename: [],
  charset: ['meta', 'script'],
  csp: [],
  'http-equiv': [],
  language: ['script'],
  rel: ['link'],
  sandbox: [],
  type: ['embed', 'link', 'object', 'script', 'style'],
  value: ['param'],
  xmlns: [],
};
/** Values that an animation of SVG gives to another attribute. */
const ANIMATED = new Set(['by', 'from', 'to', 'values']);

function attributeFault(place: AttributePlace): PlaceFault | undefined {
  const { element, name, pragma, quoted } = place;
  if (!quoted)
    return {
      where: `in the attribute \`${name}\` without quotes`,
      why: 'a space in the value begins another attribute, such as an event handler',
      help: `Put the value in quotes: \`${name}="..."\`.`,
    };
  if (name.startsWith('on'))
    return {
      where: `in the event handler \`${name}\``,
      why: 'browsers decode the escapes and run the text as a script',
      help: IN_DATA,
    };
  if (name === 'style')
    return {
      where: 'in the attribute `style`',
      why: 'escapes for HTML do not keep a value from adding declarations, which can load other resources',
      help: 'Choose among classes of the page: write the variable into `class` or a `data-` attribute.',
    };
  if (name === 'srcdoc')
    return {
      where: 'in the attribute `srcdoc`',
      why: 'browsers decode the escapes and read the text as HTML',
      help: IN_TEXT,
    };
  if (isDeciding(element, name) || (name === 'content' && pragma))
    return {
      where: `in the attribute \`${name}\` of \`<${element}>\``,
      why: 'the value decides how browsers treat the element',
      help: 'Write the value itself into the page.',
    };
  if (URL_LISTS.has(name))
    return {
      where: `in the list of URLs \`${name}\``,
      why: 'a space in the value begins another URL',
      help: 'Use an attribute with one URL, such as `src` or `href`.',
    };
  return URLS.has(name) ? urlFault(place) : undefined;
}

const isDeciding = (element: string, name: string): boolean => {
  const elements = Object.hasOwn(DECIDING, name) ? DECIDING[name]! : undefined;
  if (elements !== undefined && (elements.length === 0 || elements.includes(element))) return true;
  return ANIMATED.has(name) && /^(?:set|animate)/.test(element);
};

const HARMLESS_SCHEMES = /^(?:mailto|sms|tel):/i;
/** Text that fixes scheme and host, as browsers read it. */
const FIXED = [/^(?:https?:)?\/\/[^/?#]+[/?#]/i, /^\/[^/]/, /^[?#]/, /^[^/?#:]+[/?#]/];

function urlFault({ before, element, name }: AttributePlace): PlaceFault | undefined {
  // Browsers ignore these characters, and read `\` as `/`.
  const text = before
    .replace(/[\t\n\r]/g, '')
    .replace(/^[\0- ]+/, '')
    .replaceAll('\\', '/');
  const help = `Begin the URL with a fixed path, such as \`${name}="/search?q=..."\`, or with scheme and host.`;
  const scheme = /^[a-z][a-z0-9+.-]*:/i.exec(text)?.[0].toLowerCase();
  if (scheme !== undefined && !/^https?:/.test(scheme) && !HARMLESS_SCHEMES.test(scheme))
    return {
      where: `in a \`${scheme}\` URL of \`${name}\``,
      why: 'the value becomes part of what browsers run or show',
      help,
    };
  if (scheme !== undefined && HARMLESS_SCHEMES.test(scheme)) return undefined;
  if (!FIXED.some((pattern) => pattern.test(text)))
    return {
      where: `at the beginning of the URL in \`${name}\``,
      why: 'the value can choose the scheme, such as `javascript:`, or another host',
      help,
    };
  if (!INCLUDING.has(element) || /[?#]/.test(text)) return undefined;
  return {
    where: `in the path of \`${name}\` of \`<${element}>\``,
    why: 'the value chooses what the page includes',
    help: 'Write the whole path; variables can stand after its `?`.',
  };
}
