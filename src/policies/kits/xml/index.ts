/**
 * XML as JSON and back.
 *
 *     <order id="7"><item>a</item><item>b</item><note lang="en">ten</note><empty/></order>
 *     {"order":{"@id":"7","item":["a","b"],"note":{"@lang":"en","#text":"ten"},"empty":""}}
 *
 * - An element without attributes and elements in it is a string; else an object.
 * - `@name` is an attribute, `#text` the text beside attributes or elements, all of it in one. Text of blanks between
 *   elements is left out.
 * - Elements of one name in one parent are an array, also if others stand between them. Elements that are named in `arrays`
 *   are arrays always.
 * - Values are strings, so digits and leading zeros stay. Back, numbers and booleans are written as JSON writes them, null as
 *   an empty element, and an empty array as nothing.
 *
 * What is lost: comments, processing instructions, the order of elements of different names around others of the same name,
 * and where text stood among elements.
 */
export {
  DEFAULT_XML_LIMITS,
  readXml,
  type XmlFault,
  type XmlLimits,
  type XmlRead,
  type XmlReadOptions,
} from './read.js';
export { writeXml, type XmlWriteError, type XmlWriteOptions } from './write.js';
