/** What people type for a device, as an environment sets it (Auth0's `device_flow`). */
export interface DeviceFlowSettings {
  charset: 'base20' | 'digits'
  /** Asterisks are characters; hyphens and spaces between them are for the eye. */
  mask: string
}

export const DEVICE_FLOW: DeviceFlowSettings = { charset: 'base20', mask: '****-****' }

/** Shorter codes could be guessed in the time that they live, by whoever has many addresses. */
export const FEWEST = { base20: 8, digits: 9 }
