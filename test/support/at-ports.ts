/**
 * The text with other ports of 127.0.0.1. All are replaced in one pass, since a port of the system may begin with the digits of one that
 * is still to be replaced: 40025 and 4002.
 */
export const atPorts = (text: string, ports: Readonly<Record<number, number>>): string =>
  text.replace(/(?<=127\.0\.0\.1:)\d+/g, (port) => String(ports[Number(port)] ?? port));
