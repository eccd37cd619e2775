/**
 * Ends managed process groups when gw itself is ended without a word (SIGKILL, out of memory): a shell that holds the
 * read end of a pipe. As long as gw lives the pipe is open; when it closes, every group still on the list is ended.
 */
import { type ChildProcess, spawn } from 'node:child_process';

/** `+ PID` puts a group on the list, `- PID` takes it off. One list of words in POSIX sh; `exec` frees nothing here. */
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

  /** Starts on the first group: a gateway without managed targets has no shell beside it. */
  add(group: number): void {
    this.#groups.add(group);
    this.#start();
    this.#tell(`+ ${group}\n`);
  }

  remove(group: number): void {
    if (this.#groups.delete(group)) this.#tell(`- ${group}\n`);
  }

  /** Ends every group at once and synchronously: for `process.on('exit')`. */
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
    // Without a shell the groups still end with a gateway that ends in order.
    shell.on('error', () => {
      this.#shell = undefined;
    });
    shell.stdin?.on('error', () => {});
    shell.unref();
    const stdin = shell.stdin;
    if (stdin && 'unref' in stdin && typeof stdin.unref === 'function') stdin.unref();
    this.#shell = shell;
  }

  #tell(line: string): void {
    this.#shell?.stdin?.write(line);
  }
}

/** False when there is no such group any more. */
export function signalGroup(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-group, signal);
    return true;
  } catch {
    return false;
  }
}
