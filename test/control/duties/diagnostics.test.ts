/** Where the failure of a first run is shown. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../../src/compiler/index.js';
import { dutyDiagnostics } from '../../../src/control/duties/diagnostics.js';
import { Places } from '../../../src/control/references/places.js';
import { checked } from '../../lint/kit.js';

const LIST = 'lists = [{ name = "drop", url = "https://lists.example/drop" }]';

function placeOf(text: string): string {
  const { value: model, files } = checked(text);
  const { program } = compile(model!).bundle;
  const policy = program.policies.find(({ use }) => use === 'block')!;
  const failure = { policy, cause: 'the reply has status 500', rejects: true, hasValue: false };
  const [found] = dutyDiagnostics([failure], new Places(program, files, 'gateway.toml'));
  return text.split('\n')[found!.span.start.line - 1]!;
}

test('the failure of a duty is shown at the name of its policy, not at its first key', () => {
  const spec = `spec = 1\n[policy.strangers]\nuse = "block"\nagents = ["nikto"]\n${LIST}\n[[route]]\nname = "r"\nmatch = "/"\nreply = {}\n`;
  assert.is(placeOf(`${spec}policies = ["strangers"]\n`), '[policy.strangers]');
  const inline = `spec = 1\n[[route]]\nname = "r"\nmatch = "/"\nreply = {}\n[[route.policies]]\nuse = "block"\n${LIST}\n`;
  assert.is(placeOf(inline), LIST);
});

test.run();
