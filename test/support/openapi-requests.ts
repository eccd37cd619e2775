/**
 * Requests that an OpenAPI document allows, derived independently of the import, to check that each of them matches a
 * route of the imported spec. Supports the parts of OpenAPI that tests and published documents use.
 */

type Json = unknown;
type Table = { readonly [key: string]: Json };

export interface SampleRequest {
  readonly operation: string;
  readonly method: string;
  /** Percent-encoded. */
  readonly path: string;
  /** Without the question mark. */
  readonly query: string;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  /** The document requires credentials, without an alternative that requires none. */
  readonly guarded: boolean;
}

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'];
const ANY = 'x-amazon-apigateway-any-method';

const table = (value: Json): Table =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Table) : {};
const list = (value: Json): readonly Json[] => (Array.isArray(value) ? value : []);

/** Follows local references, a few steps. */
function follow(root: Table, value: Json): Json {
  let current = value;
  for (let hop = 0; hop < 20; hop++) {
    const reference = table(current)['$ref'];
    if (typeof reference !== 'string') return current;
    if (!reference.startsWith('#/')) return undefined;
    const steps = reference.slice(2).split('/');
    current = steps.reduce<Json>((at, step) => {
      const key = decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~');
      return Array.isArray(at) ? at[Number(key)] : table(at)[key];
    }, root);
  }
  return undefined;
}

/** A few values that a schema allows as a path segment, not encoded. */
function samples(root: Table, schemaOrRef: Json): readonly string[] {
  const schema = table(follow(root, schemaOrRef));
  const type = Array.isArray(schema['type']) ? schema['type'].find((one) => one !== 'null') : schema['type'];
  const values = list(schema['enum']).filter((value) => value !== null && String(value) !== '');
  if (values.length > 0) return values.map(String).filter((value) => !/[/\\]|^\.\.?$/.test(value));
  if (schema['const'] !== undefined) return [String(schema['const'])];
  const first = list(schema['allOf'])[0];
  if (type === undefined && first !== undefined) return samples(root, first);
  switch (type) {
    case 'integer': {
      const minimum = Number(schema['minimum'] ?? -7);
      return [String(Math.max(minimum, 12)), String(minimum), '4294967297', String(Math.max(minimum, 0))];
    }
    case 'number':
      return ['-1.5', '3', '1e-7'];
    case 'boolean':
      return ['true', 'false'];
    case 'array':
      return ['zq1,zq2', 'zq1'];
    default:
      if (schema['format'] === 'uuid' && schema['pattern'] === undefined && schema['maxLength'] === undefined) {
        return ['123e4567-e89b-12d3-a456-426614174000', '123E4567-E89B-12D3-A456-426614174000'];
      }
      return ['zq-1', 'zq caf\u00e9', '-zq~_.', 'zq;a=1,b@c:d', '%zq"<>'];
  }
}

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required: boolean;
  readonly style: string;
  readonly samples: readonly string[];
}

function parametersOf(root: Table, ...lists: Json[]): Parameter[] {
  const found = new Map<string, Parameter>();
  for (const item of lists.flatMap(list)) {
    const parameter = table(follow(root, item));
    if (typeof parameter['name'] !== 'string') continue;
    const multi = parameter['x-multi-segment'] === true;
    found.set(`${parameter['in']} ${parameter['name']}`, {
      name: parameter['name'],
      in: String(parameter['in']),
      required: parameter['required'] === true,
      style: String(parameter['style'] ?? 'simple'),
      samples: multi ? ['zq/a', 'zq'] : samples(root, parameter['schema']),
    });
  }
  return [...found.values()];
}

/** Every operation with some requests, except operations whose path is impossible in a request. */
export function sampleRequests(document: Json): SampleRequest[] {
  const root = table(document);
  const requests: SampleRequest[] = [];
  for (const [template, itemOrRef] of Object.entries(table(root['paths']))) {
    const item = table(follow(root, itemOrRef));
    if (!template.startsWith('/')) continue;
    for (const key of [...METHODS, ANY]) {
      const operation = table(follow(root, item[key]));
      if (item[key] === undefined) continue;
      const parameters = parametersOf(root, item['parameters'], operation['parameters']);
      const guarded = isGuarded(operation['security'] ?? root['security']);
      const methods = key === ANY ? ['GET', 'DELETE'] : [key.toUpperCase()];
      for (const method of methods) {
        for (let round = 0; round < 5; round++) {
          const sent = requestOf(template, parameters, round);
          if (sent) requests.push({ operation: `${key} ${template}`, method, guarded, ...sent });
        }
      }
    }
  }
  return requests;
}

const isGuarded = (security: Json): boolean =>
  list(security).length > 0 && !list(security).some((one) => Object.keys(table(one)).length === 0);

function requestOf(
  template: string,
  parameters: readonly Parameter[],
  round: number,
): Pick<SampleRequest, 'path' | 'query' | 'headers'> | undefined {
  const [before = '', fragment = ''] = template.split('#');
  const [pathTemplate = '', ownQuery = ''] = before.split('?');
  const fixed = new URLSearchParams(fragment);
  const pick = (parameter: Parameter | undefined): string => {
    const texts = parameter?.samples ?? ['zq-1'];
    return texts[round % Math.max(1, texts.length)] ?? 'zq-1';
  };
  const path = encodeURI(pathTemplate)
    .replace(/%7B/g, '{')
    .replace(/%7D/g, '}')
    .replaceAll('%25', '%')
    .replace(/\{([^{}]+)\}/g, (_, written: string) => {
      const bare = written.replace(/^[+*;.]+|[+*]$/g, '');
      const parameter = parameters.find(
        ({ name, in: place }) => place === 'path' && (name === written || name === bare),
      );
      const several = /^\+|\+$/.test(written) || parameter?.samples[0] === 'zq/a';
      const value = encodeURIComponent(pick(parameter)).replaceAll('%2F', several ? '/' : '%2F');
      if (written.startsWith(';') || parameter?.style === 'matrix') return `;${encodeURIComponent(bare)}=${value}`;
      return written.startsWith('.') || parameter?.style === 'label' ? `.${value}` : value;
    });
  // Not a possible path of a request.
  if (/[{}]|\/\.{1,2}(\/|$)|%2F|%5C/i.test(path)) return undefined;
  const query = ownQuery === '' || /[{}]/.test(ownQuery) ? [] : [ownQuery];
  const headers = new Map<string, string>();
  for (const parameter of parameters) {
    if (!parameter.required) continue;
    const value = fixed.get(parameter.name) || pick(parameter);
    if (parameter.in === 'query') query.push(`${encodeURIComponent(parameter.name)}=${encodeURIComponent(value)}`);
    if (parameter.in === 'header') headers.set(parameter.name.toLowerCase(), value);
  }
  return { path, query: query.join('&'), headers };
}
