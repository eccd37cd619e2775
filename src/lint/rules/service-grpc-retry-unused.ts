import type { Rule } from '../rule.js';

const rule: Rule = {
  code: 'service/grpc-retry-unused',
  severity: 'warning',
  summary: 'No call of gRPC is repeated, since `methods` of `retry` does not contain `POST`',
  partial: true,
  check(model, report) {
    for (const { at, config, name } of model.services) {
      const { retry } = config;
      // Every call of gRPC is a POST, and the default has only idempotent methods.
      if (retry === undefined || retry.grpc.length === 0 || retry.methods?.includes('POST')) continue;
      report({
        span: at.spanOf('retry', 'grpc'),
        entity: `service.${name}`,
        message: `\`grpc\` has no effect on service \`${name}\`: calls of gRPC are POST requests, and ${retry.methods === undefined ? 'without `methods` only idempotent requests are repeated' : '`methods` does not contain `POST`'}.`,
        help: 'Add `"POST"` to `methods` if calls may be repeated, or remove `grpc`.',
      });
    }
  },
};
export default rule;
