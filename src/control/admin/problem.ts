/** Errors of the admin API as RFC 9457 problem details. */
import type { ServerResponse } from 'node:http';

export interface Problem {
  readonly status: number;
  /** Slug that programs may branch on. */
  readonly code: string;
  readonly title: string;
  readonly detail: string;
  readonly headers?: { readonly [name: string]: string };
}

export function sendProblem(response: ServerResponse, problem: Problem): void {
  const { status, code, title, detail, headers } = problem;
  const body = `${JSON.stringify({ type: 'about:blank', title, status, detail, code })}\n`;
  response.writeHead(status, {
    ...headers,
    'content-type': 'application/problem+json',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
  });
  response.end(body);
}

export function sendJson(response: ServerResponse, status: number, value: object): void {
  const body = `${JSON.stringify(value)}\n`;
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
  });
  response.end(body);
}

export function sendText(
  response: ServerResponse,
  status: number,
  text: string,
  type = 'text/plain; charset=utf-8',
): void {
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
  });
  response.end(text);
}
