export const deployedFor = async (..._: any[]): Promise<any[]> => []
