import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { foldReplies } from '../../../src/compiler/passes/fold-replies.js';
import { irOf, policyIR, routeIR } from '../kit.js';

test('constant replies are serialized unless a policy may edit them', () => {
  const reply = { status: 200, headers: { 'X-A': 'b' }, body: 'caf\u00e9' };
  const { ir, stats } = foldReplies(
    irOf([
      routeIR('/a', 0, { reply }),
      routeIR('/b', 1, { reply, policies: [policyIR('headers', 'h')] }),
      routeIR('/c', 2, { reply: { status: 204, headers: {}, body: '' } }),
      routeIR('/d', 3, { reply: { status: 404, headers: { 'Content-Type': 'application/json' }, body: '{}' } }),
      routeIR('/e', 4, { reply: { status: 299, headers: {}, body: '' } }),
      routeIR('/f', 5),
    ]),
  );
  const heads = ir.routes.map((route) => route.entry.reply?.head);
  assert.equal(heads, [
    'HTTP/1.1 200 OK\r\nx-a: b\r\ncontent-length: 5\r\n',
    undefined,
    'HTTP/1.1 204 No Content\r\n',
    'HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\ncontent-length: 2\r\n',
    'HTTP/1.1 299 \r\ncontent-length: 0\r\n',
    undefined,
  ]);
  assert.is(stats.changed, 4);
  assert.equal(ir.routes[0]!.entry.reply!.headers, { 'X-A': 'b' }, 'as written, for people');
});

test.run();
