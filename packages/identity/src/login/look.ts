/**
 * How a page looks: what the organization says of itself wins over the application, and both over the environment. All of
 * it was checked when it came in, so that nothing here can end the style element it is written into.
 */
import { type BrandTokens, brandTokens, contrast } from '../brand-colors.ts'
import { initials } from '../delivery/render.ts'
import { type Environment, friendlyName, primaryColor } from '../environments/environment.ts'
import type { Client, OrganizationConfiguration } from '../oauth/configuration.ts'
import type { Theme } from '../resources/branding/themes/schema.ts'

export interface PageLook {
  /** The application's name, as its client is called. */
  application: string
  /** Whose page it is: the organization, or who runs the environment. */
  company: string
  logo?: string | undefined
  favicon?: string | undefined
  /** A square tile of initials stands in for a logo. */
  initials: string
  primaryColor?: string | undefined
  pageBackground?: string | undefined
  /** Colours of the environment's theme that belong to its primary colour. */
  label?: string | undefined
  links?: string | undefined
  focus?: string | undefined
  /** Corners, shadow and logo of the environment's theme. */
  theme?: Theme | undefined
}

/** A page of nobody's organization is the environment's; a host that is not known has none. */
export function environmentLook(environment: Environment | undefined): PageLook {
  const application = environment ? friendlyName(environment) : 'Tenantry'
  const settings = environment?.branding?.settings
  const theme = environment?.branding?.theme ?? undefined
  return {
    application,
    company: application,
    initials: initials(application),
    logo: theme?.widget.logo_url || settings?.logo_url || environment?.settings.picture_url,
    favicon: settings?.favicon_url,
    primaryColor: environment && primaryColor(environment),
    pageBackground: theme?.page_background.background_color ?? settings?.colors?.page_background,
    label: theme?.colors.primary_button_label,
    links: theme?.colors.links_focused_components,
    focus: theme?.colors.base_focus_color ?? theme?.colors.links_focused_components,
    theme,
  }
}

export function lookOf(
  environment: Environment,
  client: Pick<Client, 'name' | 'logo_uri'>,
  organization: Pick<OrganizationConfiguration, 'display_name' | 'branding'> | undefined,
): PageLook {
  const base = environmentLook(environment)
  const branding = organization?.branding
  const primary = branding?.colors?.primary
  return {
    ...base,
    application: client.name,
    company: organization?.display_name ?? base.company,
    initials: initials(organization?.display_name ?? client.name),
    logo: branding?.logo_url ?? client.logo_uri ?? base.logo,
    pageBackground: branding?.colors?.page_background ?? base.pageBackground,
    // Label, links and focus were chosen for the environment's colour, not for this one.
    ...(primary ? { primaryColor: primary, label: undefined, links: undefined, focus: undefined } : {}),
  }
}

/** The values of a look for both themes. */
export const styleOf = (look: PageLook): string =>
  colorStyle(look) + (look.pageBackground ? backgroundStyle(look.pageBackground) : '') + themeStyle(look.theme)

function colorStyle({ primaryColor, label, links, focus }: PageLook): string {
  if (!primaryColor) return ''
  const brand = brandTokens(primaryColor)
  const linked = links ? brandTokens(links) : brand
  const focused = focus ? brandTokens(focus) : brand
  const values = (side: 'light' | 'dark') => {
    const tokens: BrandTokens = { ...brand[side], brandText: linked[side].brandText, focus: focused[side].focus }
    // A label that cannot be read on its button is replaced by one that can, hovered or not.
    if (label && [tokens.brand, tokens.brandHover].every((fill) => contrast(label, fill) >= 4.5)) tokens.brandOn = label
    return (
      `--brand:${tokens.brand};--brand-hover:${tokens.brandHover};--brand-on:${tokens.brandOn};` +
      `--brand-edge:${tokens.brandEdge};--brand-text:${tokens.brandText};--focus:${tokens.focus}`
    )
  }
  return `:root{${values('light')}}@media (prefers-color-scheme:dark){:root{${values('dark')}}}`
}

const DARK_TEXT = '#e7eeef'

/** The footer is the only text outside of the card: it gets a ground of its own. A bright page would glare in the dark. */
const backgroundStyle = (background: string): string =>
  `body{background:${background}}.by span{background:var(--surface);padding:4px 12px;border-radius:var(--radius)}` +
  (contrast(DARK_TEXT, background) >= 4.5 ? '' : '@media (prefers-color-scheme:dark){body{background:var(--canvas)}}')

const RADIUS = { sharp: () => '0', rounded: (pixels: number) => `${pixels}px`, pill: () => '999px' }
const ALIGNED = { left: 'start', center: 'center', right: 'end', none: 'start' }

/** Of the reference size, never too small to read; the reference grows with what the reader has set. */
const fontStyle = (selector: string, { bold, size }: { bold: boolean; size: number }): string =>
  `${selector}{font-size:max(${size / 100}rem,12px);font-weight:${bold ? 700 : 400}}`

function fontStyles({ fonts }: Theme): string {
  const reference =
    fonts.reference_text_size === 16 ? '' : `:root{font-size:${(fonts.reference_text_size / 16) * 100}%}`
  return (
    reference +
    fontStyle('.card', fonts.body_text) +
    fontStyle('h1', fonts.title) +
    fontStyle('.head p', fonts.subtitle) +
    fontStyle('.field>label', fonts.input_labels) +
    fontStyle('.btn,.btn.primary', fonts.buttons_text) +
    fontStyle('.foot,.help,.rules,.note', fonts.body_text) +
    `.card a:not(.btn){font-weight:${fonts.links.bold ? 700 : 400}}`
  )
}

function themeStyle(theme: Theme | undefined): string {
  if (!theme) return ''
  const { borders, widget } = theme
  const corner = `${borders.widget_corner_radius}px`
  const inner = `${Math.min(2, borders.widget_corner_radius)}px`
  const height = `${widget.logo_height}px`
  return (
    fontStyles(theme) +
    `.btn{border-width:${borders.button_border_weight}px}.input{border-width:${borders.input_border_weight}px}` +
    `.card,.roof{border-width:${borders.widget_border_weight}px}` +
    `.btn{border-radius:${RADIUS[borders.buttons_style](borders.button_border_radius)}}` +
    `.input{border-radius:${RADIUS[borders.inputs_style](borders.input_border_radius)}}` +
    `.roof{border-radius:${corner} ${corner} ${inner} ${inner}}.card{border-radius:${inner} ${inner} ${corner} ${corner}}` +
    (borders.show_widget_shadow ? '' : '.card{box-shadow:none}') +
    `.head{text-align:${ALIGNED[widget.header_text_alignment]}}` +
    (widget.logo_position === 'none'
      ? '.head .logo:not(.ico){display:none}'
      : `.head .logo:not(.ico){display:flex;justify-content:${ALIGNED[widget.logo_position]};height:${height}}` +
        `.head .logo img,.head .logo .tile{height:${height}}.head .logo .tile{width:${height}}`)
  )
}
