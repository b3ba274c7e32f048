import { DecimalPipe } from '@angular/common'
import { HttpErrorResponse } from '@angular/common/http'
import {
  ChangeDetectionStrategy,
  Component,
  DestroyRef,
  type ElementRef,
  inject,
  type OnInit,
  signal,
  viewChild,
} from '@angular/core'
import { Icon } from '../chrome/icon'
import { Skeleton } from '../chrome/skeleton'
import { type PageState, stateAfter, Trouble } from '../chrome/trouble'
import { Session } from '../session/session'
import { ItemForm } from './item-form'
import { type Item, type ItemList, ItemsApi } from './items-api'

/** What is on a tenant's shelves. Every control that is shown is one that the token allows. */
@Component({
  selector: 'app-items-page',
  imports: [DecimalPipe, Icon, ItemForm, Skeleton, Trouble],
  changeDetection: ChangeDetectionStrategy.OnPush,
  templateUrl: './items-page.html',
})
export class ItemsPage implements OnInit {
  protected readonly session = inject(Session)
  private readonly api = inject(ItemsApi)
  private readonly dialog = viewChild.required<ElementRef<HTMLDialogElement>>('dialog')
  private readonly opener = viewChild<ElementRef<HTMLButtonElement>>('opener')
  private readonly query = viewChild<ElementRef<HTMLInputElement>>('query')

  protected readonly state = signal<PageState>('loading')
  /** Whether the permissions have arrived; before that nothing is said to be missing. */
  protected readonly known = signal(false)
  protected readonly list = signal<ItemList | undefined>(undefined)
  protected readonly searched = signal('')
  protected readonly creating = signal(false)
  protected readonly doomed = signal<Item | undefined>(undefined)
  protected readonly freshId = signal('')
  protected readonly announcement = signal('')
  protected readonly actionProblem = signal('')
  private typing: ReturnType<typeof setTimeout> | undefined
  /** Answers that arrive after a newer question are dropped. */
  private asked = 0

  constructor() {
    inject(DestroyRef).onDestroy(() => clearTimeout(this.typing))
  }

  ngOnInit(): void {
    void this.load()
  }

  protected async load(): Promise<void> {
    this.state.set('loading')
    try {
      await this.session.load()
      this.known.set(true)
      if (!this.session.may('read:item')) return this.state.set('forbidden')
      await this.fetch()
    } catch (error) {
      this.fail(error)
    }
  }

  protected async more(): Promise<void> {
    const list = this.list()
    if (!list?.next) return
    try {
      const page = await this.api.list({ q: this.searched(), after: list.next })
      this.list.set({ ...page, items: [...list.items, ...page.items] })
      this.announcement.set(`${page.items.length} more items`)
    } catch (error) {
      this.fail(error)
    }
  }

  protected typed(event: Event): void {
    const q = (event.target as HTMLInputElement).value.trim()
    clearTimeout(this.typing)
    this.typing = setTimeout(() => void this.find(q), 250)
  }

  protected search(event: Event): void {
    event.preventDefault()
    clearTimeout(this.typing)
    void this.find(this.query()?.nativeElement.value.trim() ?? '')
  }

  protected clear(): void {
    const field = this.query()?.nativeElement
    if (field) field.value = ''
    field?.focus()
    void this.find('')
  }

  protected async created(item: Item): Promise<void> {
    this.freshId.set(item.id)
    this.announcement.set(`${item.name} was created`)
    this.closeForm()
    await this.find('')
  }

  protected closeForm(): void {
    this.creating.set(false)
    this.opener()?.nativeElement.focus()
  }

  protected ask(item: Item): void {
    this.doomed.set(item)
    this.dialog().nativeElement.showModal()
  }

  protected async remove(item: Item): Promise<void> {
    this.dialog().nativeElement.close()
    this.actionProblem.set('')
    try {
      await this.api.remove(item.id)
      this.announcement.set(`${item.name} was removed`)
      // The row that had the focus is gone.
      document.getElementById('main')?.focus()
      await this.fetch()
    } catch (error) {
      // Somebody else was faster: the wish is fulfilled.
      if (error instanceof HttpErrorResponse && error.status === 404) return void (await this.find(this.searched()))
      this.actionProblem.set(`${item.name} was not removed. Try again in a moment.`)
    }
  }

  private async find(q: string): Promise<void> {
    this.searched.set(q)
    try {
      await this.fetch()
    } catch (error) {
      this.fail(error)
    }
  }

  private async fetch(): Promise<void> {
    this.asked += 1
    const mine = this.asked
    const list = await this.api.list({ q: this.searched() })
    if (mine !== this.asked) return
    this.list.set(list)
    this.state.set('ready')
  }

  private fail(error: unknown): void {
    this.state.set(stateAfter(error))
  }
}
