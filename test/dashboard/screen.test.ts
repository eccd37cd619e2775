import { EventEmitter, once } from 'node:events';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Screen } from '../../src/dashboard/screen.js';
import { turn } from '../support/until.js';

class FakeTerminal extends EventEmitter {
  columns = 10;
  rows = 3;
  full = false;
  readonly written: string[] = [];

  write(text: string): boolean {
    this.written.push(text);
    return !this.full;
  }

  take(): string {
    return this.written.splice(0).join('');
  }
}

test('the screen enters and leaves the alternate screen once', () => {
  const terminal = new FakeTerminal();
  const screen = new Screen(terminal);
  screen.enter();
  screen.enter();
  assert.is(terminal.take(), '\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J');
  screen.leave();
  screen.leave();
  assert.is(terminal.take(), '\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l');
});

test('only changed lines are written', async () => {
  const terminal = new FakeTerminal();
  const screen = new Screen(terminal);
  screen.enter();
  screen.frames.write('one\ntwo\nthree');
  await turn();
  assert.match(terminal.take(), /one.*two.*three/);
  screen.frames.write('one\n2\nthree');
  await turn();
  assert.is(terminal.take(), '\x1b[?2026h\x1b[2;1H2\x1b[0m\x1b[K\x1b[?2026l');
  screen.frames.write('one\n2\nthree');
  await turn();
  assert.is(terminal.take(), '');
  screen.frames.write('one');
  await turn();
  assert.is(terminal.take(), '\x1b[?2026h\x1b[2;1H\x1b[0m\x1b[K\x1b[3;1H\x1b[0m\x1b[K\x1b[?2026l');
});

test('frames of one event loop turn become one write', async () => {
  const terminal = new FakeTerminal();
  const screen = new Screen(terminal);
  screen.enter();
  terminal.take();
  screen.frames.write('a');
  screen.frames.write('b');
  await turn();
  assert.is(terminal.written.length, 1);
  assert.match(terminal.take(), /b/);
});

test('a full row is not erased to its end, and rows below the terminal are not written', async () => {
  const terminal = new FakeTerminal();
  const screen = new Screen(terminal);
  screen.enter();
  terminal.take();
  screen.frames.write('\x1b[31m0123456789\x1b[39m\nb\nc\nbeyond');
  await turn();
  const out = terminal.take();
  assert.ok(out.includes('0123456789\x1b[39m\x1b[0m\x1b[2;1H'));
  assert.not(out.includes('beyond'));
});

test('a slow terminal gets only the newest frame', async () => {
  const terminal = new FakeTerminal();
  const screen = new Screen(terminal);
  screen.enter();
  terminal.take();
  terminal.full = true;
  screen.frames.write('first');
  await turn();
  screen.frames.write('second');
  await turn();
  screen.frames.write('third');
  await turn();
  assert.match(terminal.take(), /first/);
  terminal.full = false;
  const drained = once(terminal, 'drain');
  terminal.emit('drain');
  await drained;
  await turn();
  const out = terminal.take();
  assert.match(out, /third/);
  assert.not.match(out, /second/);
});

test('repaint draws everything; nothing is drawn after leave', async () => {
  const terminal = new FakeTerminal();
  const screen = new Screen(terminal);
  screen.enter();
  screen.frames.write('one\ntwo');
  await turn();
  terminal.take();
  screen.repaint();
  await turn();
  assert.match(terminal.take(), /\[2J.*one.*two/s);
  screen.leave();
  screen.enter();
  await turn();
  assert.match(terminal.take(), /1049h.*one.*two/s);
  screen.leave();
  terminal.take();
  screen.frames.write('three');
  screen.repaint();
  await turn();
  assert.is(terminal.take(), '');
});

test('the sink has the terminal size, or 80x24 if it is unknown', () => {
  const terminal = new FakeTerminal();
  assert.equal([new Screen(terminal).frames.columns, new Screen(terminal).frames.rows], [10, 3]);
  const unknown = { write: () => true, once: () => undefined };
  assert.equal([new Screen(unknown).frames.columns, new Screen(unknown).frames.rows], [80, 24]);
});

test.run();
