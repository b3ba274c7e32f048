import { DecimalPipe } from '@angular/common'
import { HttpClient, httpResource } from '@angular/common/http'
import { Component, computed, type ElementRef, inject, signal, viewChild } from '@angular/core'
import { firstValueFrom } from 'rxjs'
import { Note } from '../note.ts'
import { permissions } from '../sign-in/settings.ts'
import { ItemDialog } from './item-dialog.ts'
import { type Problem, problemOf } from './problems.ts'
import { Session } from './session.ts'
import { figuresOf, type Item, matching, type Stock, stateOf, states } from './stock.ts'
import { TopBar } from './top-bar.ts'

/** What just happened, and what can be done about it. */
interface News extends Problem {
  tone: 'good' | 'bad'
  /** The item that Undo brings back. */
  removed?: Item
}

@Component({
  selector: 'app-items',
  imports: [DecimalPipe, ItemDialog, Note, TopBar],
  templateUrl: './items-page.html',
})
export class ItemsPage {
  protected readonly session = inject(Session)
  protected readonly stock = httpResource<Stock>(() => '/api/items')
  protected readonly permissions = permissions
  protected readonly states = states
  protected readonly stateOf = stateOf
  protected readonly query = signal('')
  protected readonly news = signal<News | undefined>(undefined)
  protected readonly checking = signal(false)
  /** The item somebody is asked about, because removing it can't be undone by them. */
  protected readonly doubted = signal<Item | undefined>(undefined)
  protected readonly items = computed(() => (this.stock.hasValue() ? this.stock.value().items : undefined))
  protected readonly figures = computed(() => figuresOf(this.items() ?? []))
  protected readonly found = computed(() => matching(this.items() ?? [], this.query()))
  protected readonly failure = computed(() => {
    const error = this.stock.error()
    return error && problemOf(error, 'load your items', permissions.read)
  })
  readonly #http = inject(HttpClient)
  protected readonly dialog = viewChild.required(ItemDialog)
  protected readonly doubtElement = viewChild.required<ElementRef<HTMLDialogElement>>('doubt')
  protected readonly searchElement = viewChild<ElementRef<HTMLInputElement>>('search')
  protected readonly undoElement = viewChild<ElementRef<HTMLButtonElement>>('undo')

  constructor() {
    void this.session.learnPermissions()
  }

  protected add(): void {
    if (this.session.may(permissions.create)) this.dialog().open()
  }

  protected added(item: Item): void {
    this.#keep([item])
    this.news.set({ tone: 'good', code: 'item_added', text: `Added ${item.name}.` })
  }

  protected async checkAgain(): Promise<void> {
    if (this.checking()) return
    this.checking.set(true)
    await this.session.learnPermissions(true)
    this.checking.set(false)
    if (this.failure()?.permission && this.session.may(permissions.read)) this.stock.reload()
  }

  protected clearSearch(): void {
    this.query.set('')
    this.searchElement()?.nativeElement.focus()
  }

  /** Undo saves the item again, so it is offered only to whoever may save one; anybody else is asked first. */
  protected remove(item: Item): void {
    if (this.session.may(permissions.create)) {
      void this.removeNow(item)
      return
    }
    this.doubted.set(item)
    this.doubtElement().nativeElement.showModal()
  }

  protected async removeNow(item: Item): Promise<void> {
    this.doubtElement().nativeElement.close()
    try {
      await firstValueFrom(this.#http.delete(`/api/items/${encodeURIComponent(item.id)}`))
    } catch (error) {
      this.news.set({ tone: 'bad', ...problemOf(error, `remove ${item.name}`, permissions.remove) })
      return
    }
    this.#keep([], item)
    const undoable = this.session.may(permissions.create) ? { removed: item } : {}
    this.news.set({ tone: 'good', code: 'item_removed', text: `Removed ${item.name}.`, ...undoable })
    setTimeout(() => this.undoElement()?.nativeElement.focus())
  }

  protected async bringBack({ id, name, code, location, onHand }: Item): Promise<void> {
    try {
      const item = await firstValueFrom(this.#http.post<Item>('/api/items', { id, name, code, location, onHand }))
      this.#keep([item])
      this.news.set({ tone: 'good', code: 'item_restored', text: `${name} is back.` })
    } catch (error) {
      this.news.set({ tone: 'bad', ...problemOf(error, `bring back ${name}`, permissions.create) })
    }
  }

  #keep(added: Item[], removed?: Item): void {
    this.stock.update((stock) => {
      const others = stock?.items.filter(({ id }) => id !== removed?.id && !added.some((item) => item.id === id)) ?? []
      return { items: [...others, ...added] }
    })
  }
}
