/** JUnit XML: one test case per diagnostic, and a passed one per spec without problems. */
import type { Diagnostic } from '../../schema/diagnostic.js';
import type { SourceFile } from '../../spec/model.js';
import type { RenderOptions } from './options.js';

export function renderJunit(
  diagnostics: readonly Diagnostic[],
  files: readonly SourceFile[],
  { denyWarnings = false, checked }: RenderOptions,
): string {
  const named = new Set(diagnostics.map(({ span }) => span.file));
  const clean = (checked ?? files.map(({ path }) => path)).filter((path) => !named.has(path));
  const fails = ({ severity }: Diagnostic): boolean => severity === 'error' || (denyWarnings && severity === 'warning');
  const cases = [
    ...clean.map((path) => `    <testcase classname="${xml(path)}" name="no problems"/>`),
    ...diagnostics.map((diagnostic) => testCase(diagnostic, fails(diagnostic))),
  ];
  const counts = `tests="${cases.length}" failures="${diagnostics.filter(fails).length}" errors="0"`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites ${counts}>`,
    `  <testsuite name="gw validate" ${counts}>`,
    ...cases,
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n');
}

function testCase({ code, severity, span, message, help }: Diagnostic, fails: boolean): string {
  const place = `${span.file}:${span.start.line}:${span.start.column}`;
  const text = xml(`${place}\n${message}${help === undefined ? '' : `\n${help}`}`);
  const body = fails
    ? `<failure type="${xml(code)}" message="${xml(message)}">${text}</failure>`
    : `<system-out>${severity}: ${text}</system-out>`;
  return `    <testcase classname="${xml(span.file)}" name="${xml(`${code} at ${span.start.line}:${span.start.column}`)}" file="${xml(span.file)}" line="${span.start.line}">${body}</testcase>`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};
/** Characters that XML 1.0 does not allow, not even as references, including lone surrogates. */
const FORBIDDEN = /[^\t\n\r\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu;

const xml = (text: string): string => text.replace(FORBIDDEN, '\ufffd').replace(/[&<>"']/g, (char) => ENTITIES[char]!);
