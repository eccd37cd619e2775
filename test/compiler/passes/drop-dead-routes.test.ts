import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { ConditionIR, ConditionTest } from '../../../src/bundle/types.js';
import { dropDeadRoutes } from '../../../src/compiler/passes/drop-dead-routes.js';
import { DFAS, type RouteText } from '../../bundle/kit.js';
import { irOf, names, routeIR } from '../kit.js';

const kept = (routes: readonly (RouteText | string)[]): string[] =>
  names(dropDeadRoutes(irOf(routes.map((route, i) => routeIR(route, i)))).ir);

const header = (name: string, test: ConditionTest): ConditionIR => ({ on: 'header', name, test });
const query = (name: string, test: ConditionTest): ConditionIR => ({ on: 'query', name, test });

test('routes that can match are kept, and the IR is the same', () => {
  const ir = irOf(['GET /a', 'PUT /a', '/a', '/a/', 'GET h.test/a', '/{x}', '/{x:int}', '/{x...}'].map(routeIRAt));
  const { ir: after, stats } = dropDeadRoutes(ir);
  assert.is(after, ir);
  assert.is(stats.changed, 0);
  assert.is(stats.summary, 'dropped 0 routes that can never match');
});

const routeIRAt = (text: string, index: number) => routeIR(text, index);

test('a route with a literal that cannot occur in a normalised path is dropped', () => {
  assert.equal(kept(['/a//b', '/a/../b', '/a%2Fb', '/a%41', '/a"b', '/ok', '/%C3%A9/x', '/a.b:c']), ['r5', 'r6', 'r7']);
  const keep = irOf(['/a//b', '/a%2Fb'].map(routeIRAt), DFAS, {
    normalize: { encodedSlashes: 'keep', doubleSlashes: 'keep', trailingSlash: 'strict', dotSegments: 'resolve' },
  });
  assert.equal(names(dropDeadRoutes(keep).ir), ['r0', 'r1']);
});

test('a route whose automaton accepts nothing is dropped', () => {
  const nothing = {
    source: 'x',
    classes: new Array<number>(256).fill(0),
    classCount: 1,
    next: [1, 1],
    accepts: [0, 0],
    dead: 1,
  };
  const typed = { ...routeIR('/{x:int}', 0) };
  const tested = {
    ...routeIR('/a', 1),
    match: { ...routeIR('/a', 1).match, conditions: [query('q', { op: 'matches', dfa: 0 })] },
  };
  assert.equal(names(dropDeadRoutes(irOf([typed, tested], [nothing])).ir), []);
});

test('a route that repeats host, path, method and conditions is dropped', () => {
  const x = header('x', { op: 'present' });
  const y = query('y', { op: 'present' });
  const { ir, stats } = dropDeadRoutes(
    irOf(
      [
        'GET /a/{x}',
        'GET /a/{y}',
        'GET,PUT /a/{z}',
        'PUT,GET /a/{z}',
        '/b',
        '/b',
        'h.test/b',
        'GET /a/{x:int}',
        { match: 'GET /a/{x}', conditions: [x, y] },
        { match: 'GET /a/{x}', conditions: [y, x] },
      ].map((route, i) => routeIR(route, i)),
    ),
  );
  assert.equal(names(ir), ['r0', 'r2', 'r4', 'r6', 'r7', 'r8']);
  assert.is(stats.changed, 4);
  assert.is(stats.summary, 'dropped 4 routes that can never match');
  assert.equal(stats.names, ['r1', 'r3', 'r5', 'r9']);
});

test('a route with mutually exclusive conditions is dropped', () => {
  const both = (a: ConditionTest, b: ConditionTest, on: 'header' | 'query' = 'header'): number =>
    kept([
      {
        match: '/a',
        conditions: [
          { on, name: 'x', test: a },
          { on: 'header', name: 'other', test: a },
          { on, name: 'x', test: b },
        ],
      },
    ]).length;
  const equals = (value: string): ConditionTest => ({ op: 'equals', value });
  assert.is(both({ op: 'present' }, { op: 'absent' }), 0);
  assert.is(both({ op: 'absent' }, equals('a'), 'query'), 0);
  assert.is(both(equals('a'), equals('b')), 0);
  assert.is(both(equals('a'), equals('b'), 'query'), 1, 'a parameter may be repeated');
  assert.is(both({ op: 'one-of', values: ['a', 'b'] }, equals('b')), 1);
  assert.is(both({ op: 'one-of', values: ['a', 'b'] }, { op: 'one-of', values: ['c'] }), 0);
  assert.is(both({ op: 'prefix', value: 'ab' }, equals('abc')), 1);
  assert.is(both({ op: 'prefix', value: 'ab' }, equals('b')), 0);
  assert.is(both({ op: 'prefix', value: 'ab' }, { op: 'prefix', value: 'x' }), 1, 'not judged');
  assert.is(both({ op: 'present' }, equals('b')), 1);
});

test.run();
