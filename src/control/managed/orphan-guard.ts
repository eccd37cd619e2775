/**
 * Ends managed process groups when gw itself is killed (SIGKILL, out of memory): a shell reads from a pipe that is open as
 * long as gw runs; when it closes, the shell ends every group on its list.
 */
import { type ChildProcess, spawn } from 'node:child_process';

/** `+ PID` adds a group to the list, `- PID` removes it. */
const SCRIPT = `
groups=" "
while read -r op pid; do
  case "$op" in
    +) groups="$groups$pid " ;;
    -) kept=" "; for g in $groups; do [ "$g" = "$pid" ] || kept="$kept$g "; done; groups="$kept" ;;
  esac
done
[ "$groups" = " " ] && exit 0
for g in $groups; do kill -s TERM -- "-$g" 2>/dev/null; done
for t in 1 2 3 4 5 6 7 8 9 10; do
  alive=0
  for g in $groups; do kill -s 0 -- "-$g" 2>/dev/null && alive=1; done
  [ "$alive" = 0 ] && exit 0
  sleep 0.2
done
for g in $groups; do kill -s KILL -- "-$g" 2>/dev/null; done
`;

export class OrphanGuard {
  #shell: ChildProcess | undefined;
  readonly #groups = new Set<number>();

  /** Starts the shell with the first group: a gateway without managed targets has none. */
  add(group: number): void {
    this.#groups.add(group);
    this.#start();
    this.#send(`+ ${group}\n`);
  }

  remove(group: number): void {
    if (this.#groups.delete(group)) this.#send(`- ${group}\n`);
  }

  /** Kills every group synchronously, for `process.on('exit')`. */
  killAll(): void {
    for (const group of this.#groups) signalGroup(group, 'SIGKILL');
  }

  close(): void {
    this.#shell?.stdin?.end();
    this.#shell = undefined;
  }

  #start(): void {
    if (this.#shell || process.platform === 'win32') return;
    const shell = spawn('/bin/sh', ['-c', SCRIPT], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
    // Without a shell the groups still end when the gateway stops in order.
    shell.on('error', () => {
      this.#shell = undefined;
    });
    shell.stdin?.on('error', () => {});
    shell.unref();
    const stdin = shell.stdin;
    if (stdin && 'unref' in stdin && typeof stdin.unref === 'function') stdin.unref();
    this.#shell = shell;
  }

  #send(line: string): void {
    this.#shell?.stdin?.write(line);
  }
}

/** False if the group does not exist any more. */
export function signalGroup(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-group, signal);
    return true;
  } catch {
    return false;
  }
}
