/** `grpc-timeout`: how long the client of a gRPC call waits for its end. At most eight digits and a unit. */

/** Milliseconds of each unit. */
const UNITS: { readonly [unit: string]: number } = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 0.001,
  n: 0.000_001,
};

/** Units for what is left, from the most precise one. */
const WRITTEN = ['u', 'm', 'S', 'M', 'H'] as const;
const MOST = 99_999_999;

/** Milliseconds; undefined if the value is not valid. */
export function readTimeout(value: string): number | undefined {
  const parts = /^(\d{1,8})([HMSmun])$/.exec(value);
  return parts === null ? undefined : Number(parts[1]) * UNITS[parts[2]!]!;
}

/** A value for `ms` milliseconds, rounded down; at least a microsecond, as a timeout is positive. */
export function writeTimeout(ms: number): string {
  for (const unit of WRITTEN) {
    const count = Math.max(1, Math.floor(ms / UNITS[unit]!));
    if (count <= MOST) return `${count}${unit}`;
  }
  return `${MOST}H`;
}
