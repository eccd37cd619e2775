/** How clients of this machine get to trust an authority. */
import { shellWord } from '../shell-word.js';

const SYSTEM: { readonly [platform: string]: (file: string) => readonly (readonly [what: string, command: string])[] } =
  {
    darwin: (file) => [
      ['macOS', `sudo security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain ${file}`],
    ],
    win32: (file) => [['Windows', `certutil -user -addstore Root ${file}`]],
    linux: (file) => [
      [
        'Debian, Ubuntu',
        `sudo cp ${file} /usr/local/share/ca-certificates/gw-dev-ca.crt && sudo update-ca-certificates`,
      ],
      ['Fedora, Arch', `sudo trust anchor --store ${file}`],
      ['Chrome on Linux', `certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n gw-dev-ca -i ${file}`],
    ],
  };

/** Lines with a command for each kind of client. */
export function trustText(certFile: string, platform: NodeJS.Platform): string {
  const file = platform === 'win32' ? `"${certFile}"` : shellWord(certFile);
  const rows = [
    ...(SYSTEM[platform] ?? SYSTEM['linux']!)(file),
    ['Firefox', 'Settings, Certificates, Authorities, Import'],
    ['curl', `curl --cacert ${file} https://localhost:8443/`],
    ['Node', `NODE_EXTRA_CA_CERTS=${file} node client.js`],
  ] as const;
  const width = Math.max(...rows.map(([what]) => what.length));
  return rows.map(([what, command]) => `  ${what.padEnd(width)}  ${command}`).join('\n');
}
