/** gw's own package as npm installs it, made from the files of this installation: a ustar archive, compressed. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const BLOCK = 512;
/** Seconds; the time that npm gives every file of a package. */
const MTIME = 499_162_500;

/**
 * The same bytes for the same files. npm takes it like the result of `npm pack`.
 * @param root the folder of gw's package.json
 */
export function packageCopy(root: string): Buffer {
  const { files } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { files: readonly string[] };
  const paths = [
    'package.json',
    ...files.filter((file) => !file.startsWith('!')).flatMap((file) => within(root, file)),
  ];
  const parts = paths.flatMap((path) => entry(`package/${path}`, readFileSync(join(root, path))));
  return gzipSync(Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]), { level: 9 });
}

/** Files at or below a path of the package, in a fixed order. Source maps stay out, as in the package. */
function within(root: string, path: string): string[] {
  if (!statSync(join(root, path)).isDirectory()) return path.endsWith('.map') ? [] : [path];
  const names = readdirSync(join(root, path)).sort();
  return names.flatMap((name) => within(root, `${path}/${name}`));
}

function entry(path: string, content: Buffer): Buffer[] {
  const padding = Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK);
  return [header(path, content.length), content, padding];
}

/** POSIX.1-1988 ustar: numbers in octal, the sum over the header with spaces in place of the sum. */
function header(path: string, size: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  const slash = path.length > 100 ? path.indexOf('/', path.length - 101) : -1;
  const octal = (value: number, digits: number): string => `${value.toString(8).padStart(digits, '0')}\0`;
  const mode = path.startsWith('package/bin/') ? 0o755 : 0o644;
  block.write(path.slice(slash + 1), 0, 100);
  block.write(octal(mode, 7), 100);
  block.write(octal(0, 7), 108);
  block.write(octal(0, 7), 116);
  block.write(octal(size, 11), 124);
  block.write(octal(MTIME, 11), 136);
  block.write(' '.repeat(8), 148);
  block.write('0', 156);
  block.write('ustar\x0000', 257);
  if (slash > 0) block.write(path.slice(0, slash), 345, 155);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${octal(sum, 6)} `, 148);
  return block;
}
