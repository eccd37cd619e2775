/** Lua scripts for wrk, with prepared requests that are sent in turn. */
import type { Setting } from '../proxy/setting.js';

export interface Requests {
  /** Default: a GET of /items/1. */
  readonly method?: string;
  readonly path?: string;
  readonly body?: string;
  /** Fields of all requests. */
  readonly fixed?: { readonly [name: string]: string };
  /** Fields with another value in each request. */
  readonly fields: readonly string[];
  /** The values of one request each, without tabs and line ends. */
  readonly rows: readonly (readonly string[])[];
}

/**
 * Each request is prepared before the load begins. A round goes on where the one before has ended: if it began with the
 * same requests again, a gateway would still have the results of the last round.
 */
export function scriptOf(setting: Setting, name: string, requests: Requests): string {
  const { method = 'GET', path = '/items/1', body, fixed = {}, fields, rows } = requests;
  const list = setting.write(`${name}.txt`, `${rows.map((row) => row.join('\t')).join('\n')}\n`);
  const position = setting.write(`${name}.at`, '0');
  const constant = Object.entries(fixed).map(([field, value]) => `[${lua(field)}] = ${lua(value)}`);
  return setting.write(
    `${name}.lua`,
    `local requests = {}
local fields = { ${fields.map(lua).join(', ')} }
local body = ${body === undefined ? 'nil' : lua(body)}
local thread
at = tonumber(io.open("${position}"):read("*a"))
function setup(one)
  thread = one
end
function init(args)
  for line in io.lines("${list}") do
    local headers = { ${constant.join(', ')} }
    local field = 0
    for value in line:gmatch("[^\\t]+") do
      field = field + 1
      headers[fields[field]] = value
    end
    requests[#requests + 1] = wrk.format("${method}", "${path}", headers, body)
  end
end
function request()
  at = at % #requests + 1
  return requests[at]
end
function done()
  local file = io.open("${position}", "w")
  file:write(thread:get("at"))
  file:close()
end
`,
  );
}

/** One of these values in turn in a field. */
export const scriptOfValues = (
  setting: Setting,
  name: string,
  field: string,
  values: readonly string[],
  fixed: { readonly [name: string]: string } = {},
): string => scriptOf(setting, name, { fixed, fields: [field], rows: values.map((value) => [value]) });

/** All requests are this one. */
export const scriptOfOne = (setting: Setting, name: string, requests: Omit<Requests, 'fields' | 'rows'>): string =>
  scriptOf(setting, name, { ...requests, fields: ['x-number'], rows: [['1']] });

/** A Lua string. Text of other characters would need escapes that Lua and JSON do not share. */
function lua(text: string): string {
  if (!/^[\x20-\x7e]*$/.test(text)) throw new TypeError('Only printable ASCII fits into a script.');
  return JSON.stringify(text);
}

/** More requests than a gateway answers in this many seconds. */
export const enoughFor = (setting: Setting): number => setting.pace.seconds * 40_000;
