import stringWidth from 'string-width';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { allCodes } from '../../src/lint/index.js';
import { FORMATS, type Format, render } from '../../src/lint/render/index.js';
import type { Diagnostic, Span } from '../../src/schema/diagnostic.js';
import type { SourceFile } from '../../src/spec/model.js';
import { checked, HEAD, ORDERS } from './kit.js';

const PLAIN = { color: false };

function file(text: string, path = 'gateway.toml'): SourceFile {
  return { path, absolute: `/specs/${path}`, text, sha256: '' };
}

/** The span of the first `part` in a file. */
function spanOf({ path, text }: SourceFile, part: string): Span {
  const at = text.indexOf(part);
  const position = (offset: number) => {
    const before = text.slice(0, offset).split('\n');
    return { offset, line: before.length, column: before.at(-1)!.length + 1 };
  };
  return { file: path, start: position(at), end: position(at + part.length) };
}

function problem(source: SourceFile, part: string, more: Partial<Diagnostic> = {}): Diagnostic {
  return { code: 'route/shadowed', severity: 'warning', span: spanOf(source, part), message: 'Wrong.', ...more };
}

/** Source and mark of the only frame. */
function frame(text: string, part: string, more: Partial<Diagnostic> = {}): [source: string, mark: string] {
  const source = file(text);
  const lines = render([problem(source, part, more)], [source], 'pretty', PLAIN).split('\n');
  return [lines[3]!.replace(/^\d+ \| ?/, ''), lines[4]!.replace(/^ *\| /, '')];
}

test('without diagnostics the text formats are empty, the others are valid documents', () => {
  assert.is(render([], [], 'pretty', PLAIN), '');
  assert.is(render([], [], 'github', PLAIN), '');
  assert.equal(JSON.parse(render([], [], 'json', PLAIN)), {
    version: 1,
    diagnostics: [],
    summary: { errors: 0, warnings: 0, infos: 0, fixable: 0 },
  });
  assert.equal(JSON.parse(render([], [], 'sarif', PLAIN)).runs[0].results, []);
  wellFormed(render([], [], 'junit', PLAIN));
});

test('pretty: marks are aligned under tabs and wide characters', () => {
  assert.equal(frame('\tname\t= "x"\n', '"x"'), ['    name    = "x"', '              ^^^']);
  assert.equal(frame('a = "日本" # x\n', '# x'), ['a = "日本" # x', '           ^^^']);
  assert.equal(frame('a = "日本"\n', '本'), ['a = "日本"', '       ^^']);
  assert.equal(frame('a = "👩‍👩‍👧" # e\u0301x\n', 'x'), ['a = "👩‍👩‍👧" # e\u0301x', '            ^']);
});

test('pretty: control bytes and bidirectional controls are escaped', () => {
  const [source, mark] = frame('a = "\u001b[31m\u202e" # x\r\n', '# x');
  assert.is(source, 'a = "\\u001b[31m\\u202e" # x');
  assert.is(mark.indexOf('^'), source.indexOf('# x'));
  const out = render(
    [problem(file('x'), 'x', { message: 'a\u001b[2Jb', help: '\u202ec' })],
    [file('x')],
    'pretty',
    PLAIN,
  );
  assert.not.match(out, /\u001b|\u202e/);
});

test('pretty: a long line is cut around the mark', () => {
  const [source, mark] = frame(`a = "${'x'.repeat(5000)}MARK${'y'.repeat(5_000_000)}"\n`, 'MARK');
  assert.ok(source.startsWith('…') && source.endsWith('…'));
  assert.ok(source.length <= 102);
  assert.is(source.slice(mark.indexOf('^'), mark.lastIndexOf('^') + 1), 'MARK');
  const [begin] = frame(`key = 1 # ${'x'.repeat(300)}\n`, 'key');
  assert.ok(begin.startsWith('key = 1') && begin.endsWith('…'));
});

test('pretty: spans of several lines, empty spans and spans beyond the end have a mark', () => {
  assert.equal(frame('a = [\n  1,\n]\n', '[\n  1,\n]'), ['a = [', '    ^']);
  assert.equal(frame('a = 1\n', ''), ['a = 1', '^']);
  const source = file('a = 1');
  const end = { offset: 99, line: 1, column: 100 };
  const out = render(
    [problem(source, 'a', { span: { file: source.path, start: end, end } })],
    [source],
    'pretty',
    PLAIN,
  );
  assert.match(out, 'a = 1\n');
  assert.match(out, /\| {6}\^/);
});

test('pretty: the text of a sensitive span is masked, the mark is kept', () => {
  const [source, mark] = frame('token = "hunter2"\n', '"hunter2"', { sensitive: true });
  assert.is(source, 'token = •••••••••');
  assert.is(mark, '        ^^^^^^^^^');
});

test('pretty: related places, help, fixes and the summary line are printed', () => {
  const source = file('a = 1\n\n\n\n\n\n\n\n\nb = 2\n');
  const edits = [{ span: spanOf(source, '2'), text: '3' }];
  const out = render(
    [
      problem(source, 'a', {
        related: [{ span: spanOf(source, 'b'), message: 'the other' }],
        help: 'Do it.',
        fix: { title: 'Write 3', applicability: 'safe', edits },
      }),
      problem(source, 'b', { severity: 'error', fix: { title: 'Write 3', applicability: 'unsafe', edits } }),
      problem(source, 'b', { severity: 'info' }),
    ],
    [source],
    'pretty',
    PLAIN,
  );
  assert.match(
    out,
    '  --> gateway.toml:1:1\n   |\n 1 | a = 1\n   | ^\n   |\n  ::: gateway.toml:10:1\n   |\n10 | b = 2\n   | - the other\n',
  );
  assert.match(out, '   = help: Do it.\n   = fix available (--fix): Write 3\n');
  assert.match(out, '= possible change: Write 3');
  assert.ok(out.endsWith('\n1 error, 1 warning, 1 note (1 fixable with --fix)\n'));
});

test('pretty: two places on one line share its frame', () => {
  const source = file('a = 1, b = 2\n');
  const related = [{ span: spanOf(source, '1'), message: 'one' }];
  const out = render([problem(source, 'b', { related })], [source], 'pretty', PLAIN);
  assert.match(out, '1 | a = 1, b = 2\n  |        ^\n  |     - one\n  |\n\n1 warning');
});

test('pretty: output is coloured only on request, and an unknown file has no frame', () => {
  const source = file('a = 1\n');
  assert.not.match(render([problem(source, 'a')], [source], 'pretty', PLAIN), '\u001b');
  assert.match(render([problem(source, 'a')], [source], 'pretty', { color: true }), '\u001b[33m');
  assert.match(render([problem(source, 'a')], [], 'pretty', PLAIN), ' --> gateway.toml\n\n1 warning');
});

test('paths are shown relative to the base', () => {
  const source = file('a = 1\n', 'parts/a.toml');
  const edits = [{ span: spanOf(source, '1'), text: '2' }];
  const found = problem(source, 'a', {
    related: [{ span: spanOf(source, '1'), message: 'here' }],
    fix: { title: 'x', applicability: 'safe', edits },
  });
  const [shown] = JSON.parse(render([found], [source], 'json', { color: false, base: '/specs/parts' })).diagnostics;
  assert.is(shown.span.file, 'a.toml');
  assert.is(shown.related[0].span.file, 'a.toml');
  assert.is(shown.fix.edits[0].span.file, 'a.toml');
  assert.match(render([found], [source], 'pretty', { color: false, base: '/' }), ' --> specs/parts/a.toml:1:1\n');
});

test('json: fields without a value are left out', () => {
  const source = file('a = 1\n');
  const { diagnostics, summary } = JSON.parse(
    render([problem(source, 'a', { entity: 'route.a', help: 'h', severity: 'error' })], [source], 'json', PLAIN),
  );
  assert.equal(Object.keys(diagnostics[0]), ['code', 'severity', 'message', 'span', 'entity', 'help']);
  assert.equal(diagnostics[0].span.end, { offset: 1, line: 1, column: 2 });
  assert.is(summary.errors, 1);
});

test('sarif: rules with pages, results with places and fixes', () => {
  const source = file('a = 1\n', 'a folder/gateway.toml');
  const edits = [
    { span: spanOf(source, 'a'), text: 'b' },
    { span: spanOf(source, '1'), text: '2' },
  ];
  const log = JSON.parse(
    render(
      [
        problem(source, 'a', {
          help: 'Do it.',
          related: [{ span: spanOf(source, '1'), message: 'here' }],
          fix: { title: 'Mend', applicability: 'safe', edits },
        }),
        problem(source, 'a', { severity: 'info', code: 'not/known' }),
      ],
      [source],
      'sarif',
      PLAIN,
    ),
  );
  assert.is(log.version, '2.1.0');
  const { driver } = log.runs[0].tool;
  assert.is(driver.rules.length, allCodes().length);
  const [first, second] = log.runs[0].results;
  assert.is(driver.rules[first.ruleIndex].id, 'route/shadowed');
  assert.match(driver.rules[first.ruleIndex].help.text, 'gw validate --explain route/shadowed');
  assert.is(first.level, 'warning');
  assert.is(first.message.text, 'Wrong.\nDo it.');
  const place = first.locations[0].physicalLocation;
  assert.is(place.artifactLocation.uri, 'a%20folder/gateway.toml');
  assert.equal(place.region, { startLine: 1, startColumn: 1, endLine: 1, endColumn: 2 });
  assert.is(first.relatedLocations[0].message.text, 'here');
  assert.is(first.fixes[0].artifactChanges.length, 1);
  assert.is(first.fixes[0].artifactChanges[0].replacements.length, 2);
  assert.is(second.level, 'note');
  assert.is(second.ruleIndex, undefined);
});

test('github: one command per line, with any text', () => {
  const source = file('a = "100%"\nb = [\n]\n', 'a,b:c.toml');
  const out = render(
    [
      problem(source, '"100%"', { message: '100%\r\nreally: a, b', help: 'Mend.', severity: 'error' }),
      problem(source, '[\n]'),
      problem(source, 'b', { severity: 'info' }),
    ],
    [source],
    'github',
    PLAIN,
  );
  assert.equal(out.split('\n'), [
    '::error file=a%2Cb%3Ac.toml,line=1,endLine=1,col=5,endColumn=10,title=route/shadowed::100%25%0D%0Areally: a, b%0AMend.',
    '::warning file=a%2Cb%3Ac.toml,line=2,endLine=3,col=5,title=route/shadowed::Wrong.',
    '::notice file=a%2Cb%3Ac.toml,line=2,endLine=2,col=1,endColumn=1,title=route/shadowed::Wrong.',
    '',
  ]);
});

/** Asserts balanced tags, quoted attributes and escaped characters. */
function wellFormed(xml: string): void {
  assert.match(xml, /^<\?xml version="1\.0" encoding="UTF-8"\?>\n/);
  const open: string[] = [];
  const rest = xml
    .replace(/^<\?.*\?>/, '')
    .replace(/<(\/?)([a-z-]+)((?: [a-z]+="[^"<>]*")*)(\/?)>/g, (_, close, name, __, empty) => {
      if (close) assert.is(open.pop(), name);
      else if (!empty) open.push(name);
      return '';
    });
  assert.equal(open, []);
  assert.not.match(rest, /[<>]|&(?!(amp|lt|gt|quot|apos);)/);
  assert.not.match(xml, /[\x00-\x08\x0b\x0c\x0e-\x1f]/);
}

test('junit: errors are failures, warnings only if denied; the XML is well-formed with any text', () => {
  const source = file('a = 1\n');
  const found = [
    problem(source, 'a', { severity: 'error', message: '<a href="x">&\u0000\ud800</a>', help: "'quoted'" }),
    problem(source, 'a'),
  ];
  const options = { color: false, checked: ['other.toml', 'gateway.toml'] };
  const lenient = render(found, [source], 'junit', options);
  wellFormed(lenient);
  assert.match(lenient, 'tests="3" failures="1"');
  assert.match(lenient, '<testcase classname="other.toml" name="no problems"/>');
  const strict = render(found, [source], 'junit', { ...options, denyWarnings: true });
  wellFormed(strict);
  assert.match(strict, 'failures="2"');
});

test('every format renders every severity', () => {
  const source = file('a = 1\n');
  for (const format of FORMATS satisfies readonly Format[]) {
    for (const severity of ['error', 'warning', 'info'] as const) {
      assert.match(render([problem(source, 'a', { severity })], [source], format, PLAIN), 'route/shadowed');
    }
  }
});

test('no line except the message is wider than the terminal', () => {
  const text = `${HEAD}${ORDERS}[[route]]\nmatch = "GET /${'日本/long/'.repeat(20)}{id:integer}/${'é語'.repeat(50)}"\nto = "orders"\n`;
  const { diagnostics, files } = checked(text);
  for (const columns of [60, 80, 120]) {
    const lines = render(diagnostics, files, 'pretty', { color: false, columns }).split('\n');
    for (const line of lines.filter((each) => !/^(error|warning)\[/.test(each))) {
      assert.ok(stringWidth(line) <= columns, `${columns}: ${line}`);
    }
    const source = lines.find((line) => /^ *\d+ \|.*integer/.test(line))!;
    const mark = lines.find((line) => line.includes('^'))!;
    assert.is(mark.indexOf('^'), stringWidth(source.slice(0, source.indexOf('integer'))));
    assert.ok(lines.some((line) => line.includes('= help: Known types:')));
  }
});

test('a frame masks secrets that are on the line for another reason', () => {
  const cases: readonly (readonly [line: string, shown: string])[] = [
    [
      'oauth = { client_secret = "s3cr3t-text", id = "shown" }',
      'oauth = { client_secret = "•••••••••••", id = "shown" }',
    ],
    ["oauth = { password = 's3cr3t' }", "oauth = { password = '••••••' }"],
    ['oauth = 1 # token = "s3cr3t-text', 'oauth = 1 # token = "•••••••••••'],
    ['key = "sha256:s3cr3t oauth', 'key = "•••••••••••••••••••'],
    ['{"name":"oauth","secret":"s3cr3t"}', '{"name":"oauth","secret":"••••••"}'],
    ['oauth.secrets = ["s3cr3t-1", "s3cr3t-2"]', 'oauth.secrets = ["••••••••", "••••••••"]'],
    [`oauth.key = "sha256:${'0'.repeat(64)}"`, `oauth.key = "sha256:${'0'.repeat(64)}"`],
    ['oauth.secret = "${env:SECRET}"', 'oauth.secret = "${env:SECRET}"'],
    ['oauth.token_header = "x-token"', 'oauth.token_header = "x-token"'],
  ];
  for (const [line, shown] of cases) assert.is(frame(line, 'oauth')[0], shown);
});

test.run();
