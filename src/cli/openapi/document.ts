/** OpenAPI documents that a command reads: what is wrong with them ends the command. */
import { DocumentError, decodeDocument, type OpenApiDocument, parseOpenApi } from '../../openapi/document.js';
import { failed } from '../exit-codes.js';

export {
  type Data,
  type DataTable,
  field,
  isList,
  isTable,
  OpenApiDocument,
  scalarText,
  textOf,
} from '../../openapi/document.js';

/** Throws CommandError when the text is not an OpenAPI 3 document. `name` is the file's, for messages. */
export const readDocument = (text: string, name: string): OpenApiDocument => orFail(() => parseOpenApi(text, name));

/** The text of a document's bytes. Throws CommandError for bytes that are no text. */
export const readText = (bytes: Uint8Array, name: string): string => orFail(() => decodeDocument(bytes, name));

function orFail<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof DocumentError ? failed(error.message) : error;
  }
}
