export interface Plan {
  id: string
  name: string
  /** In a line, for who chooses. */
  text: string
}

/** From the smallest up, in words; what each holds is the API's to say. */
export const PLANS: readonly Plan[] = [
  {
    id: 'basic',
    name: 'Basic',
    text: '100 items, 5 people',
  },
  {
    id: 'standard',
    name: 'Standard',
    text: '10,000 items, 50 people',
  },
  {
    id: 'premium',
    name: 'Premium',
    text: 'A room of your own: your own tables, 100,000 items, 500 people',
  },
  {
    id: 'platinum',
    name: 'Platinum',
    text: 'A house of your own: your own database, without limits',
  },
]

export const planName = (id: string): string => PLANS.find((plan) => plan.id === id)?.name ?? id
