import { Injectable, inject } from '@angular/core'
import { Title } from '@angular/platform-browser'
import { type RouterStateSnapshot, TitleStrategy } from '@angular/router'

@Injectable()
export class StockroomTitle extends TitleStrategy {
  private readonly title = inject(Title)

  override updateTitle(snapshot: RouterStateSnapshot): void {
    const page = this.buildTitle(snapshot)
    this.title.setTitle(page ? `${page} · Stockroom` : 'Stockroom')
  }
}
