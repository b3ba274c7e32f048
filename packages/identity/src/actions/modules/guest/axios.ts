import axios from 'axios'

export const modules = { axios: Object.assign(axios, { default: axios }) }
