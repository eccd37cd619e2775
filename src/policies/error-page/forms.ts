/** The forms of a page, in the order of preference between equal weights. */
export const FORMS = ['json', 'html', 'text'] as const;
export type Form = (typeof FORMS)[number];
