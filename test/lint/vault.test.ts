/** Rules about `[vault]` beyond their fixtures. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { check, codes, route } from './kit.js';

const vaultAt = (address: string): string[] => {
  const secret = '{ use = "headers", request.set = { x-key = "${vault:secret/orders#token}" } }';
  const vault = `[vault]\naddress = "${address}"\ntoken = "\${env:VAULT_TOKEN}"\n`;
  return codes(check(vault + route('GET /a', `to = "orders"\npolicies = [${secret}]`)));
};

test('plain http to Vault on this machine is no finding', () => {
  for (const host of ['localhost:8200', '127.0.0.1:8200', '[::1]:8200', 'vault.localhost'])
    assert.equal(vaultAt(`http://${host}`), [], host);
  assert.equal(vaultAt('https://vault.example.com'), []);
});

test('plain http to a name that begins like a loopback address is a finding', () => {
  for (const host of ['vault.example.com', '127.example.com', '[fd00::1]'])
    assert.equal(vaultAt(`http://${host}`), ['vault/plain-http'], host);
});

test.run();
