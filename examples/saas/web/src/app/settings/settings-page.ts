import { DecimalPipe } from '@angular/common'
import { ChangeDetectionStrategy, Component, DestroyRef, inject, type OnInit, signal } from '@angular/core'
import { RouterLink } from '@angular/router'
import { Icon } from '../chrome/icon'
import { Skeleton } from '../chrome/skeleton'
import { type PageState, stateAfter, Trouble } from '../chrome/trouble'
import { planName } from '../plans'
import { Session } from '../session/session'
import { ExportBox } from './export-box'
import { PlanBox } from './plan-box'
import { type Amount, type Model, type Overview, SettingsApi } from './settings-api'

/** How a company's data is kept, for people who never heard of schemas. */
const KEPT: Record<Model, string> = {
  pool: 'In tables that companies share. The database itself shows each company its own rows and no others.',
  bridge: 'In tables of your own. Other companies’ rows are in other tables.',
  silo: 'In a database of your own, with a login of its own.',
}

/** What the company has, and what its administrators can do with the whole of it. */
@Component({
  selector: 'app-settings-page',
  imports: [DecimalPipe, ExportBox, Icon, PlanBox, RouterLink, Skeleton, Trouble],
  changeDetection: ChangeDetectionStrategy.OnPush,
  templateUrl: './settings-page.html',
})
export class SettingsPage implements OnInit {
  protected readonly session = inject(Session)
  private readonly api = inject(SettingsApi)
  protected readonly state = signal<PageState>('loading')
  protected readonly overview = signal<Overview | undefined>(undefined)
  protected readonly announcement = signal('')
  protected readonly planName = planName
  protected readonly kept = (model: Model) => KEPT[model]
  protected readonly limitOf = ({ limit }: Amount) =>
    limit === undefined ? 'no limit' : `of ${limit.toLocaleString('en')}`
  private timer: ReturnType<typeof setTimeout> | undefined

  constructor() {
    inject(DestroyRef).onDestroy(() => clearTimeout(this.timer))
  }

  ngOnInit(): void {
    void this.load()
  }

  protected async load(): Promise<void> {
    this.state.set('loading')
    try {
      await this.session.load()
      if (!this.session.may('read:tenant')) return this.state.set('forbidden')
      await this.refresh()
      this.state.set('ready')
    } catch (error) {
      this.fail(error)
    }
  }

  /** Again and again while the plan is being changed. */
  protected async refresh(): Promise<void> {
    clearTimeout(this.timer)
    const before = this.overview()
    const now = await this.api.overview()
    this.overview.set(now)
    const isUnderWay = now.change && now.change.state !== 'failed'
    if (isUnderWay) this.timer = setTimeout(() => void this.refresh().catch((error) => this.fail(error)), 1000)
    else if (before?.change && !now.change) this.announcement.set(`Your plan is ${planName(now.plan)} now`)
  }

  private fail(error: unknown): void {
    this.overview.set(undefined)
    this.state.set(stateAfter(error))
  }
}
