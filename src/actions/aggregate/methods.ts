/** RFC 9110 section 9.2.1: a request that changes nothing may be abandoned, repeated and shared. */
export const isSafe = (method: string): boolean => method === 'GET' || method === 'HEAD' || method === 'OPTIONS';
