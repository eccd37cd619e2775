/** Fields that describe the body of a reply, RFC 9110 section 8 and RFC 9530: with another body they are wrong. */
export const BODY_FIELDS: readonly string[] = [
  'accept-ranges',
  'content-digest',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-length',
  'content-location',
  'content-md5',
  'digest',
  'etag',
  'last-modified',
  'repr-digest',
  'trailer',
];
