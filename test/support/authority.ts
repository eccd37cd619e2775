/** Certificate authorities of tests: real certificates and revocation lists, made by openssl. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Issued {
  /** PEM texts. */
  readonly cert: string;
  readonly key: string;
  readonly certFile: string;
  readonly keyFile: string;
}

export interface CertificateOptions {
  /** Lines of an extension section of openssl. */
  readonly extensions?: readonly string[];
  /** `YYYYMMDDHHMMSSZ`. */
  readonly from?: string;
  readonly to?: string;
  /** `/O=Acme/CN=orders`; default: the name as CN. */
  readonly subject?: string;
}

/** A folder for the authorities of one test file. */
export class Authorities {
  readonly folder = mkdtempSync(join(tmpdir(), 'gw-ca-'));

  create(name: string, options: CertificateOptions = {}): Authority {
    return new Authority(join(this.folder, name), name, undefined, options);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const CA_EXTENSIONS = [
  'basicConstraints=critical,CA:TRUE',
  'keyUsage=critical,keyCertSign,cRLSign',
  'subjectKeyIdentifier=hash',
];
const CLIENT_EXTENSIONS = [
  'basicConstraints=CA:FALSE',
  'keyUsage=critical,digitalSignature',
  'extendedKeyUsage=clientAuth',
];

const openssl = (args: readonly string[], cwd: string): string =>
  execFileSync('openssl', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

export class Authority implements Issued {
  readonly certFile: string;
  readonly keyFile: string;
  #count = 0;

  /** `parent` undefined: a root. */
  constructor(
    readonly folder: string,
    readonly name: string,
    parent: Authority | undefined,
    options: CertificateOptions = {},
  ) {
    mkdirSync(join(folder, 'new'), { recursive: true });
    writeFileSync(join(folder, 'index.txt'), '');
    writeFileSync(join(folder, 'index.txt.attr'), 'unique_subject = no\n');
    writeFileSync(join(folder, 'crlnumber'), '01\n');
    const made = (parent ?? this).#make(name, { extensions: CA_EXTENSIONS, ...options }, folder, parent === undefined);
    this.certFile = made.certFile;
    this.keyFile = made.keyFile;
  }

  get cert(): string {
    return readFileSync(this.certFile, 'utf8');
  }

  get key(): string {
    return readFileSync(this.keyFile, 'utf8');
  }

  /** An authority that this one has certified. */
  intermediate(name: string, options: CertificateOptions = {}): Authority {
    return new Authority(join(this.folder, name), name, this, options);
  }

  /** A certificate for a client, or as `options` say. */
  issue(name: string, options: CertificateOptions = {}): Issued {
    return this.#make(name, { extensions: CLIENT_EXTENSIONS, ...options }, this.folder, false);
  }

  #make(name: string, options: CertificateOptions, folder: string, selfSigned: boolean): Issued {
    const { extensions = [], from = '20200101000000Z', to = '20991231235959Z', subject = `/CN=${name}` } = options;
    const file = join(folder, `${name}-${++this.#count}`);
    const keyFile = `${file}.key`;
    const certFile = `${file}.pem`;
    const curve = ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'];
    openssl(['genpkey', ...curve, '-out', keyFile], folder);
    openssl(['req', '-new', '-utf8', '-key', keyFile, '-subj', subject, '-out', `${file}.csr`], folder);
    writeFileSync(`${file}.ext`, extensions.join('\n'));
    const signer = selfSigned ? ['-selfsign', '-keyfile', keyFile] : [];
    this.#ca(
      [
        ...signer,
        '-in',
        `${file}.csr`,
        '-out',
        certFile,
        '-extfile',
        `${file}.ext`,
        '-startdate',
        from,
        '-enddate',
        to,
      ],
      selfSigned ? { certFile, keyFile } : this,
    );
    return {
      certFile,
      keyFile,
      get cert() {
        return readFileSync(certFile, 'utf8');
      },
      get key() {
        return readFileSync(keyFile, 'utf8');
      },
    };
  }

  #ca(args: readonly string[], { certFile, keyFile }: { certFile: string; keyFile: string }, crl = ''): string {
    const config = join(this.folder, 'ca.cnf');
    writeFileSync(
      config,
      `[ca]
default_ca = one
[one]
dir = ${this.folder}
database = ${this.folder}/index.txt
new_certs_dir = ${this.folder}/new
certificate = ${certFile}
private_key = ${keyFile}
rand_serial = yes
default_md = sha256
default_days = 3650
policy = any
email_in_dn = yes
${crl}
[any]
organizationName = optional
organizationalUnitName = optional
commonName = optional
emailAddress = optional
[list]
authorityKeyIdentifier = keyid
[indirect]
issuingDistributionPoint = critical,@indirect_point
[indirect_point]
indirectCRL = TRUE
[partial]
issuingDistributionPoint = critical,@partial_point
[partial_point]
onlyuser = TRUE
[delta]
2.5.29.27 = critical,DER:020101
`,
    );
    return openssl(['ca', '-batch', '-notext', '-config', config, ...args], this.folder);
  }

  revoke({ certFile }: Issued, reason?: string): void {
    this.#ca(['-revoke', certFile, ...(reason === undefined ? [] : ['-crl_reason', reason])], this);
  }

  /** Takes a revocation back, as no authority does. */
  restore({ certFile }: Issued): void {
    const file = join(this.folder, 'index.txt');
    const serial = openssl(['x509', '-in', certFile, '-noout', '-serial'], this.folder).trim().slice('serial='.length);
    const lines = readFileSync(file, 'utf8').split('\n');
    writeFileSync(file, lines.filter((line) => !line.includes(serial)).join('\n'));
  }

  /** Its revocation list as PEM. `kind`: extensions; `v1`: none. */
  list(kind: 'v1' | 'list' | 'indirect' | 'partial' | 'delta' = 'list', nextUpdate = '20991231235959Z'): string {
    const dates = ['-crl_lastupdate', '20200101000000Z', '-crl_nextupdate', nextUpdate];
    const settings = kind === 'v1' ? '' : `crlnumber = ${this.folder}/crlnumber\ncrl_extensions = ${kind}`;
    return this.#ca(['-gencrl', ...dates], this, settings);
  }
}
