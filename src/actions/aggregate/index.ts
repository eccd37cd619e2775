/** Compile part of aggregate. */
import { declareAction } from '../../policies/compile-kit.js';
import type { Json } from '../../policies/contract.js';
import { settingsOf } from './compile.js';
import { describePlan, summaryOf } from './describe.js';
import { lintCalls } from './lint.js';
import { PROBLEMS } from './problems.js';
import { type AggregateConfig, schema } from './schema.js';
import { factsOf } from './uses.js';

export default declareAction<AggregateConfig, Json>({
  use: 'aggregate',
  summary: 'Makes one reply of calls to several services',
  schema,
  problems: Object.values(PROBLEMS),
  codes: [
    { code: 'aggregate/cycle', severity: 'error', summary: 'Calls of an aggregate wait for each other' },
    {
      code: 'aggregate/unknown-name',
      severity: 'error',
      summary: 'An aggregate uses a call or a value that it does not have',
    },
    { code: 'aggregate/jsonata', severity: 'error', summary: 'An expression of an aggregate is not valid' },
    { code: 'aggregate/json', severity: 'error', summary: 'The JSON body of a call is not JSON' },
    { code: 'aggregate/path', severity: 'error', summary: 'The path of a call is not valid' },
    { code: 'aggregate/unsafe-retry', severity: 'error', summary: 'A call with an unsafe method is sent again' },
    { code: 'aggregate/unbounded', severity: 'error', summary: 'A reply decides how many requests a call sends' },
    { code: 'aggregate/missing-default', severity: 'error', summary: 'A call has no default, but it is to be used' },
    { code: 'aggregate/unused-call', severity: 'warning', summary: 'Nothing uses the result of a call' },
    { code: 'aggregate/no-effect', severity: 'warning', summary: 'A setting of a call has no effect' },
    { code: 'template/syntax', severity: 'error', summary: 'A template has an unmatched brace' },
    {
      code: 'template/unknown-variable',
      severity: 'error',
      summary: 'A template uses an unknown variable or path parameter',
    },
  ],
  calls: ({ call }) => Object.entries(call).map(([name, { service }]) => ({ at: ['call', name, 'service'], service })),
  requestFacts: factsOf,
  lint: lintCalls,
  describe: summaryOf,
  details: describePlan,
  compile: (config, { routes }) => settingsOf(config, new Set(routes[0]?.params)),
});
