import { Exact, Nullable } from '@tenantry/kernel/http/slice.ts'
import Type, { type Static } from 'typebox'
import { inertMembers, only } from '../inert.ts'

/** `#rrggbb` and nothing else: it is written into the style block of pages and mails. */
export const Color = Type.String({ pattern: '^#[0-9a-fA-F]{6}$' })
/** Bounds only; `refuseImage` decides. */
export const ImageAddress = Type.String({ minLength: 1, maxLength: 1024 })

/** Pages load no file of another origin but an image. */
export const inert = { font: only(null, {}, { url: null }) }

/** null takes a member away. */
export const UpdateBranding = Exact({
  colors: Type.Optional(
    Nullable(
      Exact({
        primary: Type.Optional(Nullable(Color)),
        // One colour; Auth0's gradients are refused by name.
        page_background: Type.Optional(
          Type.Union([Color, Type.Object({}, { additionalProperties: true, maxProperties: 10 }), Type.Null()]),
        ),
      }),
    ),
  ),
  favicon_url: Type.Optional(Nullable(ImageAddress)),
  logo_url: Type.Optional(Nullable(ImageAddress)),
  ...inertMembers(inert),
})
export type UpdateBranding = Static<typeof UpdateBranding>

export const Branding = Type.Object({
  colors: Type.Optional(Type.Object({ primary: Type.Optional(Color), page_background: Type.Optional(Color) })),
  favicon_url: Type.Optional(ImageAddress),
  logo_url: Type.Optional(ImageAddress),
})
export type BrandingSettings = Static<typeof Branding>
