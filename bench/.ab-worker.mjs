import 'reflect-metadata';
import { application, handlersClass, payload } from './harness/applications.mjs';
const [dist, handlersArg, kind, snapshot, per='3'] = process.argv.slice(2);
const { Emissions, EmissionsModule, OnEmission } = await import(dist + '/index.js');
const Handlers = handlersClass(+handlersArg, kind==='async', OnEmission('order.created'));
const app = await application({ imports:[EmissionsModule.forRoot({ snapshot, pipeline:{capacity:100_000} })], providers:[Handlers] });
const emissions = app.get(Emissions); const order = payload(1);
const work=()=>{ for (let i=0;i<+per;i++) emissions.emit('order.created', order); };
const slices=[];
for (let s=0;s<(+process.env.SLICES||14);s++) { const t=performance.now(); let n=0; while (performance.now()-t<100) { for(let i=0;i<100;i++) await emissions.run(work); n+=100*per; await new Promise(setImmediate);} await emissions.settled({timeoutMs:60000}); slices.push((performance.now()-t)*1e6/n); }
slices.splice(0,4); slices.sort((a,b)=>a-b);
console.log(JSON.stringify({min:slices[0], med:slices[5]}));
process.exit(0);
