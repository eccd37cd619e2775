/** Compile part of mock. */
import { declareAction } from '../../policies/compile-kit.js';
import type { PolicyContext, PolicyProblem } from '../../policies/contract.js';
import { brokenReference, findOperations } from './document.js';
import { PROBLEMS } from './problems.js';
import { WITHOUT_BODY, writeOperation } from './replies.js';
import { type MockConfig, type MockOperation, type MockSettings, schema, shorthand } from './schema.js';

export default declareAction<MockConfig, MockSettings>({
  use: 'mock',
  summary: 'Answers with examples, fixed or from an OpenAPI document',
  schema,
  shorthand,
  codes: [
    { code: 'mock/document', severity: 'error', summary: 'The document of a mock cannot be read' },
    {
      code: 'mock/no-example',
      severity: 'warning',
      summary: 'A mock has no example for a media type of its document',
    },
    { code: 'mock/operation', severity: 'error', summary: 'The document of a mock does not have the operation' },
    { code: 'mock/source', severity: 'error', summary: 'A mock has neither a document nor a body, or both' },
  ],
  problems: Object.values(PROBLEMS),
  // Vary of its replies names `accept` and `prefer`.
  requestFacts: () => [],
  lint(config, context, report) {
    const { body, document } = config;
    if ((body === undefined) !== (document === undefined)) {
      if (document !== undefined) lintDocument(config, context, report);
      return;
    }
    const both = body !== undefined;
    report({
      code: 'mock/source',
      severity: 'error',
      at: both ? ['body'] : [],
      message: both ? 'A mock has either `document` or `body`, not both.' : 'The mock has no example.',
      help: both ? 'Remove one of them.' : 'Set `document` to an OpenAPI document, or `body` to a fixed example.',
    });
  },
  describe: ({ document, operation, status }) =>
    document === undefined
      ? `mock ${status ?? 200}`
      : `mock of ${operation === undefined ? '' : `${operation} in `}${document}`,
  compile(config, context) {
    const { body, content_type: type, document, status = 200 } = config;
    if (document !== undefined) return { operations: operationsOf(config, context) };
    const media =
      body === undefined || body === '' || WITHOUT_BODY.has(status)
        ? []
        : [{ type, examples: [{ name: 'fixed', body }] }];
    return { operations: { '*': { replies: [{ code: String(status), status, headers: [], media }], first: 0 } } };
  },
});

function operationsOf(config: MockConfig, context: PolicyContext): MockSettings['operations'] {
  const found = findOperations(config, context);
  if ('code' in found) return {};
  const written: [string, MockOperation][] = [];
  for (const [method, one] of found.operations) {
    const { operation } = writeOperation(found.document, one, config);
    if (operation !== undefined) written.push([method, operation]);
  }
  return Object.fromEntries(written);
}

function lintDocument(config: MockConfig, context: PolicyContext, report: (problem: PolicyProblem) => void): void {
  const found = findOperations(config, context);
  if ('code' in found) {
    report({ severity: 'error', ...found });
    return;
  }
  for (const [, one] of found.operations) {
    const { missing, operation } = writeOperation(found.document, one, config);
    const name = one.id ?? `${one.method} ${one.path}`;
    if (operation === undefined) {
      const wanted = config.status === undefined ? 'a reply' : `a reply with status ${config.status}`;
      report({
        code: 'mock/operation',
        severity: 'error',
        at: config.status === undefined ? ['document'] : ['status'],
        message: `Operation \`${name}\` of the document does not describe ${wanted}.`,
        help: 'Add it under `responses` of the document, or choose another `status` or `operation`.',
      });
    }
    for (const one of missing) {
      report({
        code: 'mock/no-example',
        severity: 'warning',
        at: ['document'],
        message: `Operation \`${name}\` has no example for \`${one}\`, and none can be generated: the mock never sends it.`,
        help: 'Add `example` or `examples` to the media type in the document.',
      });
    }
    lintExample(config, operation, name, report);
  }
  for (const fault of found.document.faults) report({ severity: 'error', ...brokenReference(fault) });
}

function lintExample(
  { example }: MockConfig,
  operation: MockOperation | undefined,
  name: string,
  report: (problem: PolicyProblem) => void,
): void {
  const first = operation?.replies[operation.first];
  if (example === undefined || first === undefined) return;
  const known = first.media.flatMap(({ examples }) => examples.map((one) => one.name));
  if (known.includes(example)) return;
  report({
    code: 'mock/operation',
    severity: 'error',
    at: ['example'],
    message: `Operation \`${name}\` has no example \`${example}\` for status ${first.status}.`,
    help:
      known.length === 0
        ? 'The reply has no examples.'
        : `Examples: ${[...new Set(known)].map((one) => `\`${one}\``).join(', ')}.`,
  });
}
