/** Fields that only gw writes into its requests to the service. Lower-case names. */
export const OWN_FIELDS: readonly string[] = [
  'x-forwarded-method',
  'x-forwarded-uri',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-forwarded-for',
];
