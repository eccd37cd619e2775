import { type DefaultTreeAdapterTypes, parse } from 'parse5';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseText } from '../../../src/policies/compile-kit.js';
import { MAX_MARKUP, markupFaults } from '../../../src/policies/kits/markup/index.js';
import { Template } from '../../../src/policies/run-kit.js';
import { seeded } from '../../support/random.js';
import { exchange } from '../support.js';

/** Where the first unsafe variable is, or nothing. `@` stands for a variable. */
function where(template: string, form: 'html' | 'xml' = 'html'): string {
  const faults = markupFaults(parseText(template.replaceAll('@', '{request.path}'), new Set()).parts, form);
  return 'reason' in faults ? faults.reason : (faults[0]?.where ?? '');
}

function table(rows: readonly (readonly [template: string, expected: string])[], form: 'html' | 'xml' = 'html'): void {
  for (const [template, expected] of rows) {
    const found = where(template, form);
    assert.ok(expected === '' ? found === '' : found.includes(expected), `${template}: ${found || 'accepted'}`);
  }
}

test('text of elements', () => {
  table([
    ['<p>@</p>', ''],
    ['@', ''],
    ['<title>@</title><textarea>@</textarea>', ''],
    ['<template><p>@</p></template>', ''],
    ['<svg><text>@</text></svg>', ''],
    ['<table><tr><td>@</td></tr></table>', ''],
    ['<select><option>@</select>', ''],
    ['<script>1 < 2</script><p>@</p>', ''],
    ['<noscript><p>@</p></noscript><iframe>@</iframe>', ''],
    ['<script>a("@")</script>', '<script>'],
    ['<SCRIPT type="text/template"><p>@</p></SCRIPT>', '<script>'],
    ['<script>a <!-- <script> "@"', '<script>'],
    ['<style>@', '<style>'],
    ['<svg><style>@</style></svg>', '<style>'],
    ['<svg><script>@</script></svg>', '<script>'],
    ['<svg><![CDATA[@]]></svg>', 'CDATA'],
  ]);
});

test('comments, document types, names, dropped parts', () => {
  table([
    ['<!-- @ -->', 'comment'],
    ['<!-- a --> @', ''],
    ['<? @ ?>', 'comment'],
    ['</ @>', 'comment'],
    ['<!doctype @>', 'document type'],
    ['<!doctype html public "@">', 'document type'],
    ['<!doctype html>@', ''],
    ['<@>', 'name of a tag'],
    ['<x-@>', 'name of a tag'],
    ['<title></@></title>', 'name of a tag'],
    ['<textarea></texta@', 'name of a tag'],
    ['</@>', 'drop'],
    ['</p @>', 'drop'],
    ['<p title="a" title="@">', 'drop'],
    ['<p title="@', 'drop'],
    ['<td title="@">a', 'drop'],
  ]);
});

test('attributes', () => {
  table([
    ['<a title="@">', ''],
    [`<a title='a @ b' data-x="@">`, ''],
    ['<input value = "@" placeholder="@">', ''],
    ['<meta name="description" content="@">', ''],
    ['<script nonce="@"></script>', ''],
    ['<a title=@>', 'without quotes'],
    ['<a title=a"@">', 'without quotes'],
    ['<a title="a"b=@>', 'without quotes'],
    ['<a @>', 'name of an attribute'],
    ['<a data-@="1">', 'name of an attribute'],
    ['<a title="x"@>', 'name of an attribute'],
    ['<a onclick="@">', 'event handler'],
    ['<a ONanything="@">', 'event handler'],
    ['<a style="color: @">', '`style`'],
    ['<iframe srcdoc="@">', '`srcdoc`'],
    ['<meta http-equiv="refresh" content="1; url=@">', '`content` of `<meta>`'],
    ['<meta http-equiv="@">', '`http-equiv`'],
    ['<link rel="@">', '`rel` of `<link>`'],
    ['<script type="@">', '`type` of `<script>`'],
    ['<iframe sandbox="@">', '`sandbox`'],
    ['<svg><animate attributeName="href" to="@">', '`to` of `<animate>`'],
    ['<svg><set attributename="@">', '`attributename`'],
    ['<object><param name="a" value="@">', '`value` of `<param>`'],
  ]);
});

test('URLs', () => {
  for (const [attribute, element] of [
    ['href', 'a'],
    ['src', 'img'],
    ['action', 'form'],
    ['formaction', 'button'],
    ['poster', 'video'],
    ['cite', 'q'],
    ['background', 'body'],
  ] as const) {
    const at = (value: string) => where(`<${element} ${attribute}="${value}">`);
    for (const fixed of [
      '/a@',
      '/a/@',
      '?@',
      '#@',
      '/?@',
      'a/@',
      './@',
      'a?@',
      '//a.b/@',
      'http://a.b?@',
      'HTTPS://a.b:1/@',
    ])
      assert.is(at(fixed), '', `${attribute} ${fixed}`);
    for (const open of [
      '@',
      '/@',
      '//@',
      '//a@/',
      'https:@',
      'https://@/',
      'https://a@',
      'a@',
      '\\@',
      '/\\@',
      ' /@',
      '/&#9;@',
      '/&#@',
      'ja&#@',
      'https:///@',
    ])
      assert.match(at(open), 'beginning of the URL', `${attribute} ${open}`);
    for (const scheme of ['javascript:@', ' JavaScript:a(@)', 'java&#10;script&colon;@', 'data:text/html,@', 'x:/a/@'])
      assert.match(at(scheme), 'URL of', `${attribute} ${scheme}`);
  }
  table([
    ['<a href="mailto:a@@example.com?subject=@">'.replace('@@', '&#64;'), ''],
    ['<svg><a xlink:href="@">', 'beginning'],
    ['<object data="@">', 'beginning'],
    ['<img srcset="/a @">', 'list of URLs'],
    ['<a href="/a" ping="/b @">', 'list of URLs'],
    ['<script src="/a?@"></script>', ''],
    ['<script src="/a/@.js"></script>', 'in the path'],
    ['<link rel="stylesheet" href="/@/a.css">', 'beginning'],
    ['<link rel="stylesheet" href="/x/@/a.css">', 'in the path'],
    ['<base href="https://a.example/@">', 'in the path'],
  ]);
});

test('places that depend on whether scripts run are checked both ways', () => {
  table([
    ['<noscript><a href="/x?@">@</a></noscript>', ''],
    ['<noscript><a href=@></noscript>', 'without quotes'],
    ['<noscript><!-- </noscript><a href="@">-->', 'beginning'],
    ['<noscript><style></noscript>@</style>', '<style>'],
  ]);
});

test('a value must not move elements by being text', () => {
  table([
    ['<head>@<meta charset="utf-8"></head>', 'changes the elements'],
    ['@<title>a</title>', 'changes the elements'],
    ['<title>a</title>@<p>b</p>', ''],
    ['<table><colgroup>@<col></table>', 'changes the elements'],
    ['@<!doctype html><p>a</p>', 'changes the elements'],
  ]);
});

test('the status and the scheme are allowed everywhere, since gw makes their values', () => {
  for (const template of [
    '<script>status = {reply.status}</script><style>.s{reply.status} {}</style>',
    '<body class=s{reply.status} onload="a({reply.status})"><!-- {reply.status} -->',
    '<a href="{request.scheme}://www.example.com/?{request.path}">',
  ])
    assert.is(where(template), '', template);
  assert.match(where('<a href="{request.scheme}://{request.host}/">'), 'beginning');
});

test('XML is read as XML', () => {
  table(
    [
      ['<?xml version="1.0"?><a b="@"><c/>@</a>', ''],
      ['<html xmlns="http://www.w3.org/1999/xhtml"><script/><title/>@</html>', ''],
      ['<script>@</script>', '<script>'],
      ['<h:script>@</h:script>', '<script>'],
      ['<svg:a xlink:href="@"/>', 'beginning'],
      ['<a b=@/>', 'without quotes'],
      ['<a><![CDATA[@]]></a>', 'CDATA'],
      ['<?a @?><b/>', 'processing instruction'],
      ['<!-- @ --><a/>', 'comment'],
      ['<a xmlns:b="@"/>', '`xmlns`'],
      ['<@/>', 'name of a tag'],
      ['<a></@>', 'name of a tag'],
      ['<!DOCTYPE a [<!ENTITY b "@">]><a>&b;</a>', 'declarations'],
      ['<_a onclick="@"/>', 'outside of a tag'],
    ],
    'xml',
  );
});

test('a template that looks like the marks of the check is read rightly', () => {
  table([
    ['<p>&#983040; \u{f0000} &#xF0000; @</p>', ''],
    ['<script>@</script><p>v&#983040;</p>', '<script>'],
    ['<p title="a" title="@">v&#983040; v\u{f0000}', 'drop'],
  ]);
});

test('a template that cannot be checked is refused in bounded time', () => {
  assert.match(where(`${'<div>'.repeat(50_000)}@`), 'nested');
  assert.match(where(`${'<template>'.repeat(20_000)}@`), 'nested');
  assert.match(where(`<p>${'<b x=1><a>'.repeat(20_000)}@`), 'nested');
  assert.match(where(`${'a'.repeat(MAX_MARKUP + 1)}@`), 'characters');
  assert.match(where('@'.repeat(10_001)), 'variables');
  assert.is(where('<br>'.repeat(60_000)), '', 'without variables nothing is checked');
});

// ---- Whatever the values, the tree stays the same ----

type Parsed = DefaultTreeAdapterTypes.Document;
type Node = Parsed['childNodes'][number] | Parsed;

const URL_NAMES = new Set(['href', 'src', 'action', 'formaction']);
const ATTACKS = [
  '',
  ' ',
  '\n',
  '-',
  '--',
  '-->',
  '--!>',
  '>',
  '<',
  '"',
  "'",
  '`',
  '=',
  '/',
  '//evil.example',
  '\\',
  '&',
  '&lt;',
  '#',
  ';',
  '47;',
  'title',
  'script',
  '/title',
  '</title>',
  '</script>',
  '</textarea>',
  '<script>',
  '<img src=x onerror=a()>',
  ' onclick=a() ',
  '"onclick="a()',
  'javascript:a()',
  'data:text/html,x',
  ':',
  ']]>',
  '!--',
  '<!--',
  '</style>',
  'x',
  'word',
  '\0',
  '\u001b(J',
  'style',
  '<svg>',
  '</table>',
]; // prettier-ignore
const PIECES = [
  '<p>',
  '</p>',
  '<p title="',
  "<p title='",
  '"',
  "'",
  '">',
  "'>",
  '>',
  ' ',
  '@',
  '@',
  '@',
  '@',
  '<a href="/x?',
  '<a href="',
  '<a href="/',
  '</a>',
  '<b>',
  '</b>',
  '<table>',
  '<tr>',
  '<td>',
  '</table>',
  '<title>',
  '</title>',
  '<textarea>',
  '</textarea>',
  '<!--',
  '-->',
  '<script>',
  '</script>',
  '<style>',
  '</style>',
  '<head>',
  '<body>',
  '<svg>',
  '</svg>',
  '<![CDATA[',
  ']]>',
  '<noscript>',
  '</noscript>',
  '<select>',
  '<option value="',
  '<!doctype html>',
  '</',
  '<',
  '=',
  '<meta charset="utf-8">',
  '<div class="',
  '</div>',
  ' data-x="',
  ' id=',
  '<template>',
  '</template>',
  'text',
  '&',
]; // prettier-ignore

/** Elements, names of attributes, comments, and what runs: scripts, styles, handlers and the origins of URLs. */
function shapeOf(node: Node): string {
  if ('value' in node) {
    const parent = node.parentNode !== null && 'tagName' in node.parentNode ? node.parentNode.tagName : '';
    return parent === 'script' || parent === 'style' ? node.value : '';
  }
  if ('data' in node) return `<!--${node.data}-->`;
  if ('publicId' in node) return `<!${node.name} ${node.publicId} ${node.systemId}>`;
  const attributes = 'attrs' in node ? node.attrs.map(({ name, value }) => `${name}=${effectOf(name, value)}`) : [];
  const children = 'content' in node ? node.content.childNodes : node.childNodes;
  return `<${node.nodeName} ${attributes.join(' ')}>${children.map(shapeOf).join('')}</>`;
}

function effectOf(name: string, value: string): string {
  if (name.startsWith('on') || name === 'style') return value;
  if (!URL_NAMES.has(name)) return '';
  return URL.canParse(value, 'https://page.example/a/b')
    ? new URL(value, 'https://page.example/a/b').origin
    : 'invalid';
}

const shapes = (html: string): string[] =>
  [true, false].map((scriptingEnabled) => shapeOf(parse(html, { scriptingEnabled })));

test('in an accepted template, no value changes the tree, a script, a style or the origin of a URL', () => {
  const random = seeded(7);
  const any = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  let accepted = 0;
  for (let round = 0; round < 6000; round++) {
    const count = 1 + Math.floor(random() * 9);
    const written = Array.from({ length: count }, () => any(PIECES)).join('');
    let variables = 0;
    const text = written.replaceAll('@', () => `{claims.v${variables++}}`);
    const { parts } = parseText(text, new Set());
    const faults = markupFaults(parts, 'html');
    if (variables === 0 || 'reason' in faults || faults.length > 0) continue;
    accepted++;
    const template = new Template(parts);
    const render = (value: () => string): string => {
      const claims = Object.fromEntries(Array.from({ length: variables }, (_, index) => [`v${index}`, value()]));
      return template.renderHtml(exchange({ claims }));
    };
    const expected = shapes(render(() => 'word'));
    for (let attempt = 0; attempt < 8; attempt++) {
      const html = render(() => any(ATTACKS) + (random() < 0.3 ? any(ATTACKS) : ''));
      assert.equal(shapes(html), expected, `${JSON.stringify(text)} became ${JSON.stringify(html)}`);
    }
  }
  assert.ok(accepted > 500, `${accepted} templates were accepted`);
});

test.run();
