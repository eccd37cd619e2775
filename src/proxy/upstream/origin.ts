/** Where a target is, taken from its URL. */
export abstract class Origin {
  readonly url: string;
  readonly secure: boolean;
  readonly host: string;
  readonly port: number;
  /** For a Host of the target's own. */
  readonly authority: string;
  /** The same as a line. */
  readonly hostLine: string;
  /** Base path without a slash at its end. */
  readonly basePath: string;

  /** Throws TypeError for a URL that is not http or https. */
  constructor(url: string) {
    const parsed = new URL(url);
    if (parsed.protocol !== 'http:' && parsed.protocol !== 'https:') throw new TypeError(`No target: ${url}`);
    this.url = url;
    this.secure = parsed.protocol === 'https:';
    this.host = parsed.hostname.startsWith('[') ? parsed.hostname.slice(1, -1) : parsed.hostname;
    this.port = parsed.port === '' ? (this.secure ? 443 : 80) : Number(parsed.port);
    this.authority = parsed.host;
    this.hostLine = `host: ${parsed.host}\r\n`;
    this.basePath = parsed.pathname.replace(/\/+$/, '');
  }
}
