import { Exact, OneOf } from '@tenantry/kernel/http/slice.ts'
import Type, { type Static } from 'typebox'
import { type inertMembers, only } from '../../inert.ts'
import { Color } from '../schema.ts'

const Pixels = (maximum: number) => Type.Number({ minimum: 0, maximum })
const Style = Type.Unsafe<'pill' | 'rounded' | 'sharp'>(OneOf('pill', 'rounded', 'sharp'))
const Side = Type.Unsafe<'center' | 'left' | 'right'>(OneOf('center', 'left', 'right'))
const Position = Type.Unsafe<'center' | 'left' | 'right' | 'none'>(OneOf('center', 'left', 'right', 'none'))
/** Bounds only; `refuseImage` decides, and the empty text means none. */
const OptionalImage = Type.String({ maxLength: 1024 })
const Font = Exact({ bold: Type.Boolean(), size: Type.Number({ minimum: 0, maximum: 200 }) })

/** A theme is complete: each of its parts is given, as at Auth0. */
export const ThemeInput = Exact({
  borders: Exact({
    button_border_radius: Pixels(10),
    button_border_weight: Pixels(10),
    buttons_style: Style,
    input_border_radius: Pixels(10),
    input_border_weight: Pixels(3),
    inputs_style: Style,
    show_widget_shadow: Type.Boolean(),
    widget_border_weight: Pixels(10),
    widget_corner_radius: Pixels(50),
  }),
  colors: Exact({
    base_focus_color: Type.Optional(Color),
    base_hover_color: Type.Optional(Color),
    body_text: Color,
    captcha_widget_theme: Type.Optional(OneOf('auto', 'dark', 'light')),
    error: Color,
    header: Color,
    icons: Color,
    input_background: Color,
    input_border: Color,
    input_filled_text: Color,
    input_labels_placeholders: Color,
    links_focused_components: Color,
    primary_button: Color,
    primary_button_label: Color,
    read_only_background: Type.Optional(Color),
    secondary_button_border: Color,
    secondary_button_label: Color,
    success: Color,
    widget_background: Color,
    widget_border: Color,
  }),
  displayName: Type.Optional(Type.String({ minLength: 1, maxLength: 2048 })),
  fonts: Exact({
    body_text: Font,
    buttons_text: Font,
    font_url: Type.String({ maxLength: 1024 }),
    input_labels: Font,
    links: Font,
    links_style: OneOf('normal', 'underlined'),
    reference_text_size: Type.Number({ minimum: 12, maximum: 24 }),
    subtitle: Font,
    title: Font,
  }),
  identifiers: Type.Optional(
    Exact({
      login_display: OneOf('separate', 'unified'),
      otp_autocomplete: Type.Boolean(),
      phone_display: Exact({
        formatting: OneOf('international', 'regional'),
        masking: OneOf('hide_country_code', 'mask_digits', 'show_all'),
      }),
    }),
  ),
  page_background: Exact({
    background_color: Color,
    background_image_url: OptionalImage,
    page_layout: Side,
  }),
  widget: Exact({
    header_text_alignment: Side,
    logo_height: Type.Number({ minimum: 1, maximum: 100 }),
    logo_position: Position,
    logo_url: OptionalImage,
    social_buttons_layout: OneOf('bottom', 'top'),
  }),
})
export type Theme = Static<typeof ThemeInput>

export const ThemeAnswer = Type.Object({
  ...ThemeInput.properties,
  displayName: Type.String(),
  themeId: Type.String(),
})

export const ThemeId = Exact({ themeId: Type.String({ minLength: 1, maxLength: 64 }) })

type Inert = Record<string, Parameters<typeof inertMembers>[0][string]>

/**
 * Members with no effect, at the values of Auth0's theme before anybody changed it. Text, fields and messages keep the
 * colours of these pages: those are checked for contrast in both themes, and one colour alone could make a page unreadable.
 */
export const inert: Record<'borders' | 'colors' | 'fonts' | 'page_background' | 'widget', Inert> = {
  // A field without a border cannot be seen.
  borders: { input_border_weight: (value) => Number(value) >= 1 },
  colors: {
    base_hover_color: only('#000000'),
    body_text: only('#1e212a'),
    captcha_widget_theme: only('auto'),
    error: only('#d03c38'),
    header: only('#1e212a'),
    icons: only('#65676e'),
    input_background: only('#ffffff'),
    input_border: only('#c9cace'),
    input_filled_text: only('#000000'),
    input_labels_placeholders: only('#65676e'),
    read_only_background: only('#ffffff'),
    secondary_button_border: only('#c9cace'),
    secondary_button_label: only('#1e212a'),
    success: only('#13a688'),
    widget_background: only('#ffffff'),
    widget_border: only('#c9cace'),
  },
  fonts: {
    // The pages load nothing from elsewhere, and links in a sentence are told by more than their colour.
    font_url: only(''),
    links_style: only('normal', 'underlined'),
  },
  page_background: { background_image_url: only(''), page_layout: only('center') },
  widget: { social_buttons_layout: only('bottom') },
}
/** Settings of ways to sign in that do not exist here. */
export const inertIdentifiers = only(undefined, {
  login_display: 'unified',
  otp_autocomplete: true,
  phone_display: { formatting: 'international', masking: 'mask_digits' },
})
