/** OpenAPI documents, for compile parts: no run part may load them. */
export {
  type Data,
  type DataTable,
  DocumentError,
  field,
  isList,
  isTable,
  type OpenApiDocument,
  openOpenApi,
  scalarText,
  textOf,
} from '../../openapi/document.js';
export { type Operation, operationsAt, operationsOf } from '../../openapi/operations.js';
export { type PathSegment, segmentsOf } from '../../openapi/paths.js';
