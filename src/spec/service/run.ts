/** Managed targets of a service. */
import { messageOf } from '../../reason.js';
import { s } from '../../schema/declare.js';
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
    instances: s
      .integer({ min: 1, max: MOST_INSTANCES })
      .describe('Number of processes. Each has a port of its own; those that are ready share the requests.')
      .default(1),
    ready_timeout: s
      .duration({ min: 1 })
      .describe('Time limit for the process to accept connections on its port.')
      .default(15_000),
  });
