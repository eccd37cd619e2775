/** Managed targets of a service. */
import { messageOf } from '../../reason.js';
import { type Problem, quoted, s } from '../../schema/declare.js';
import { splitWords } from '../../schema/words.js';

/** Processes of one service. */
const MOST_INSTANCES = 100;

function commandProblem(command: string): string | undefined {
  try {
    splitWords(command);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/** Bounds for the number of processes. */
export interface Bounds {
  readonly min: number;
  readonly max: number;
}

function boundsOf(text: string): Bounds | undefined {
  const [, from, to = from] = /^(\d{1,9})(?:\.\.(\d{1,9}))?$/.exec(text) ?? [];
  return from === undefined ? undefined : { min: Number(from), max: Number(to) };
}

function boundsProblem(text: string): Problem | undefined {
  const bounds = boundsOf(text);
  if (bounds === undefined) {
    const message = `Expected a number of processes such as \`"0..4"\`, found ${quoted(text)}.`;
    return { message, help: 'Write the least and the largest number, with two dots between them, or one number.' };
  }
  const { min, max } = bounds;
  if (max === 0)
    return {
      message: 'A service with at most 0 instances never runs.',
      help: 'Write `"0..1"`, or remove the service.',
    };
  if (max < min) {
    const message = `At least ${min} and at most ${max} instances cannot be.`;
    return { message, help: `Write \`"${max}..${min}"\`.` };
  }
  if (max > MOST_INSTANCES)
    return {
      message: `A service has at most ${MOST_INSTANCES} instances, found ${max}.`,
      help: 'Write a smaller number.',
    };
  return undefined;
}

const instances = () =>
  s
    .either<Bounds>(
      {
        kinds: ['integer'],
        schema: s.mapped(s.integer({ min: 1, max: MOST_INSTANCES }), (count): Bounds => ({ min: count, max: count })),
      },
      {
        kinds: ['string'],
        schema: s.mapped(s.string().check('schema/format', boundsProblem), (text): Bounds => boundsOf(text)!),
      },
    )
    .describe(
      'Number of processes, or bounds for it: `"2..4"` follows the number of requests, `"0..4"` also stops the last process when the service is idle ([docs/scaling.md](scaling.md)). Each has a port of its own; those that are ready share the requests. Default: 1.',
      '0..4',
    )
    .optional();

export const run = () =>
  s.object({
    command: s
      .string({ nonEmpty: true, expected: 'a command' })
      .check('schema/format', commandProblem)
      .describe('Command to start, split into words like in a shell.'),
    port_env: s
      .string({ pattern: /^[A-Za-z_][A-Za-z0-9_]*$/, expected: 'a variable name' })
      .describe('Environment variable with the port of the process.')
      .default('PORT'),
    cwd: s.string().describe('Working directory, relative to the folder of the spec.').optional(),
    env: s.map(s.reference('a string')).describe('Additional environment variables.').default({}),
    instances: instances(),
    scale_down_after: s.duration().describe('Time with less load after which a process is stopped.').default(60_000),
    idle: s
      .duration({ min: 1000 })
      .describe('Time without a request after which the last process is stopped, if there may be none (`"0..4"`).')
      .default(300_000),
    ready_timeout: s
      .duration({ min: 1 })
      .describe('Time limit for the process to accept connections on its port.')
      .default(15_000),
  });
