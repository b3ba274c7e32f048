import { spawnSync, spawn } from 'node:child_process'
import { openArena } from './arena.ts'
import { runWindow } from './windows.ts'
const arena = await openArena()
const g = await arena.gateway('gateway')
const token = arena.issuer.mint({ scope: 'openid profile read:todos write:other' })
const traffic = { headers: [`authorization: Bearer ${token}`] }
for (let i = 0; i < 4; i++) {const w=await runWindow(g, traffic);console.log(w.microseconds.toFixed(1),w.requests)}
const p = spawn('strace', ['-f','-c','-o','/tmp/gw.strace','-p',String(g.pid)],{stdio:'ignore'}); let n=0
for (let i = 0; i < 4; i++) {const w=await runWindow(g, traffic);console.log(w.microseconds.toFixed(1),w.requests)}
p.kill('SIGINT'); await new Promise(r=>p.on('exit',r))
arena.close(); process.exit(0)
