/** Factors whose pages work behind a link: a recovery code stands in for one of these, and a key is made in a sign-in. */
export const isAddableByLink = (factor: string): boolean => ['otp', 'sms', 'email'].includes(factor)
