import { lookup as resolve, type LookupAddress } from 'node:dns';
import { BlockList, isIP, isIPv6, type LookupFunction } from 'node:net';
import { buildConnector } from 'undici';
import { ConfigurationError } from '../../emission/emission.errors.js';
import { quote } from '../../emission/quote.js';
import { BrokerRefusedError } from '../broker.errors.js';

/** What is not on the public internet, as IANA lists it: this machine, private networks, clouds' metadata, multicast, documentation. */
const NOT_PUBLIC = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12'],
  ...['192.0.0.0/24', '192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15'],
  ...['198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4'],
  ...[
    '::/96',
    '::ffff:0:0:0/96',
    '64:ff9b::/96',
    '64:ff9b:1::/48',
    '100::/64',
    '2001::/23',
    '2001:db8::/32',
  ],
  ...['2002::/16', '3fff::/20', '5f00::/16', 'fc00::/7', 'fe80::/10', 'fec0::/10', 'ff00::/8'],
];

/**
 * Keeps requests to addresses that strangers chose away from what is not public. The address that is checked is the one that is
 * connected to, so that a name that means something else a moment later gains nothing.
 */
export class AddressGuard {
  readonly #blocked = blockList(NOT_PUBLIC);
  readonly #allowed: BlockList;

  /** @param allowed networks that are let through all the same @throws ConfigurationError when one is none */
  constructor(allowed: readonly string[]) {
    this.#allowed = blockList(allowed);
  }

  /** Whether an IP address may be connected to. */
  allows(address: string): boolean {
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    return !this.#blocked.check(address, family) || this.#allowed.check(address, family);
  }

  /** Connects for undici: to nothing but addresses that are allowed. */
  connector(timeoutMs: number): buildConnector.connector {
    const lookup: LookupFunction = (hostname, options, callback) => {
      resolve(hostname, { ...options, all: true }, (error, found) => {
        const [first] = found ?? [];
        const bad = found?.find(({ address }) => !this.allows(address));
        if (error !== null || first === undefined) callback(error ?? blocked(hostname), []);
        else if (bad !== undefined) callback(blocked(`${hostname} (${bad.address})`), []);
        else if (options.all === true) callback(null, found satisfies LookupAddress[]);
        else callback(null, first.address, first.family);
      });
    };
    const connect = buildConnector({ timeout: timeoutMs, lookup });
    return (options, callback) => {
      // For an address, nothing is looked up.
      const host = options.hostname.replace(/^\[|\]$/g, '');
      if (isIP(host) !== 0 && !this.allows(host)) callback(blocked(host), null);
      else connect(options, callback);
    };
  }
}

function blocked(host: string): NodeJS.ErrnoException {
  return new BrokerRefusedError(
    `${host} is not on the public internet, and no webhook is sent there. If it is one of yours: allow: ['10.1.2.0/24'].`,
  );
}

function blockList(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', prefix] = String(network).split('/');
    const version = isIP(address);
    try {
      if (version === 0) throw new TypeError('no address');
      list.addSubnet(address, Number(prefix ?? Number.NaN), version === 6 ? 'ipv6' : 'ipv4');
    } catch (error) {
      throw new ConfigurationError(
        `WebhookAdapter: allow takes networks such as '10.1.2.0/24', but got ${quote(network)}.`,
        { cause: error },
      );
    }
  }
  return list;
}
